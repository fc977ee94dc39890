// SPDX-License-Identifier: Apache-2.0 OR MIT
use crate::{Address, Destination};

/// A number that stands for a destination while a redirected connection lasts. It travels as the low 22 bits of the loopback
/// address that the connection really goes to, so no state per connection is needed to find the destination again, and every
/// destination has the whole range of ephemeral ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u32);

const SLOT_BITS: u32 = 22;
const SLOT_MASK: u32 = (1 << SLOT_BITS) - 1;
/// Set when the kernel chose `127.0.0.1` as the source although the application left it open: both ends are shown the pod's
/// address instead, which is what they see under iptables.
const SOURCE_IS_POD: u32 = 1 << SLOT_BITS;
/// `127.128.0.0/9`.
const RANGE_V4: u32 = 0x7f80_0000;

impl Slot {
    /// The key in the slot table.
    #[inline(always)]
    pub const fn key(self) -> u32 {
        self.0
    }
}

/// A slot as it stands in a packet: `127.128.0.0/9 | source is pod << 22 | slot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotAddress {
    pub slot: Slot,
    /// See [`SlotAddress::encode`].
    pub source_is_pod: bool,
}

impl SlotAddress {
    /// The loopback address of the slot.
    #[inline(always)]
    pub const fn encode(self) -> Address {
        let flag = if self.source_is_pod { SOURCE_IS_POD } else { 0 };
        Address::from_v4_be((RANGE_V4 | flag | self.slot.0).to_be())
    }

    /// The slot in an address, if it has one.
    #[inline(always)]
    pub const fn decode(address: Address) -> Option<Self> {
        let host = u32::from_be(address.v4_be());
        if !address.is_v4() || host & !(SLOT_MASK | SOURCE_IS_POD) != RANGE_V4 {
            return None;
        }
        Some(Self { slot: Slot(host & SLOT_MASK), source_is_pod: host & SOURCE_IS_POD != 0 })
    }
}

/// The slots in which a destination may stand, in the order to try them.
#[derive(Clone, Copy, Debug)]
pub struct SlotCandidates(u32);

impl SlotCandidates {
    /// How many there are.
    pub const COUNT: u32 = 8;

    /// `seed` is chosen whenever the programs are loaded, so that nobody can prepare destinations that fill another's candidates.
    #[inline(always)]
    pub const fn of(destination: &Destination, seed: u32) -> Self {
        let [a, b, c, d] = destination.address.0;
        // IPv4 differs in the last word only; the others are mixed in together.
        let hash = mix(seed ^ a ^ b.rotate_left(11) ^ c.rotate_left(22));
        Self(mix(mix(hash ^ d) ^ destination.port as u32))
    }

    /// The `probe`-th candidate, below [`Self::COUNT`].
    #[inline(always)]
    pub const fn nth(self, probe: u32) -> Slot {
        let slot = mix(self.0 ^ probe.wrapping_mul(0x9e37_79b9)) & SLOT_MASK;
        // 127.255.255.255 is a broadcast address; nobody can connect to it.
        Slot(if slot == SLOT_MASK { 0 } else { slot })
    }
}

/// The finalizer of [MurmurHash3](https://github.com/aappleby/smhasher/wiki/MurmurHash3), a bijection with full avalanche.
#[inline(always)]
const fn mix(mut word: u32) -> u32 {
    word ^= word >> 16;
    word = word.wrapping_mul(0x85eb_ca6b);
    word ^= word >> 13;
    word = word.wrapping_mul(0xc2b2_ae35);
    word ^ (word >> 16)
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn destination(ip: u32, port: u16) -> Destination {
        Destination::new(Address::from(Ipv4Addr::from(ip)), port)
    }

    proptest! {
        #[test]
        fn a_slot_survives_its_address(ip: u32, port: u16, seed: u32, probe in 0..SlotCandidates::COUNT, source_is_pod: bool) {
            let slot = SlotCandidates::of(&destination(ip, port), seed).nth(probe);
            let address = SlotAddress { slot, source_is_pod }.encode();
            prop_assert!(address.is_loopback());
            prop_assert_ne!(address, Address::from(Ipv4Addr::new(127, 255, 255, 255)));
            prop_assert_eq!(SlotAddress::decode(address), Some(SlotAddress { slot, source_is_pod }));
        }

        #[test]
        fn only_the_upper_half_of_loopback_holds_slots(ip: u32) {
            let inside = ip >> 23 == 0x7f80_0000 >> 23;
            prop_assert_eq!(SlotAddress::decode(Address::from(Ipv4Addr::from(ip))).is_some(), inside);
        }
    }

    #[test]
    fn neighbouring_destinations_spread() {
        let mut low = [0_u32; 16];
        for ip in 0..16_000_u32 {
            let slot = SlotCandidates::of(&destination(0x0a00_0000 + ip, 80), 7).nth(0);
            low[(slot.key() % 16) as usize] += 1;
        }
        assert!(low.iter().all(|count| (800..1200).contains(count)), "{low:?}");
    }
}
