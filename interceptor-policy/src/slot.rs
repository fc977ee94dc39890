// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Slots, and how a slot is written into an address. The slots' contents are in the map of slots, not here.

use crate::{abi::SlotEntry, address::Address};

/// A number that stands for a destination of one pod while a redirected connection lasts.
///
/// It is in the low bits of the local address that the connection really goes to. So the programs find the destination
/// again without any state per connection, and every destination has the whole range of ephemeral ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u32);

const SLOT_BITS: u32 = 21;
const SLOT_MASK: u32 = (1 << SLOT_BITS) - 1;
/// Set when the connection has a loopback source although the application left the source open. Both ends are shown the
/// pod's address instead, which is what they see under iptables.
const SOURCE_IS_POD: u32 = 1 << SLOT_BITS;
/// Set when the sidecar must see the destination as its own address, as TPROXY delivers it.
const TRANSPARENT: u32 = 1 << (SLOT_BITS + 1);
/// `127.128.0.0/9`.
const RANGE_V4: u32 = 0x7f80_0000;
/// `fd69:6e74:6572:6365::/64`: a unique local prefix, which the loader makes local in pods with IPv6.
const PREFIX_V6: [u32; 2] = [0xfd69_6e74_u32.to_be(), 0x6572_6365_u32.to_be()];
/// Without this bit, the address of slot 0 would be the prefix's anycast address.
const RANGE_V6: u32 = 0x8000_0000;

impl Slot {
    /// The key in the map of slots.
    #[inline(always)]
    pub const fn key(self) -> u32 {
        self.0
    }
}

/// A slot as it is in the address of a packet: in `127.128.0.0/9` or `fd69:6e74:6572:6365::8000:0/105`, the low bits
/// are `transparent << 22 | source_is_pod << 21 | slot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotAddress {
    pub slot: Slot,
    /// Both ends must be shown the pod's address as the source.
    pub source_is_pod: bool,
    /// The sidecar must be shown the destination as its own address.
    pub transparent: bool,
}

impl SlotAddress {
    /// The /64 that must be local in a pod with IPv6.
    pub const NETWORK_V6: Address = Address([PREFIX_V6[0], PREFIX_V6[1], 0, 0]);

    /// The local address of the slot, of the family of its destination.
    #[inline(always)]
    pub const fn encode(self, destination: Address) -> Address {
        let source_is_pod = if self.source_is_pod { SOURCE_IS_POD } else { 0 };
        let transparent = if self.transparent { TRANSPARENT } else { 0 };
        let low = self.slot.0 | source_is_pod | transparent;
        if destination.is_v4() {
            Address::from_v4_be((RANGE_V4 | low).to_be())
        } else {
            Address([PREFIX_V6[0], PREFIX_V6[1], 0, (RANGE_V6 | low).to_be()])
        }
    }

    /// Whether the address is in [`Self::NETWORK_V6`]. Unlike packets to `127.0.0.0/8`, the kernel accepts packets to
    /// that network from outside.
    #[inline(always)]
    pub const fn is_in_network_v6(address: Address) -> bool {
        (address.0[0] ^ PREFIX_V6[0]) | (address.0[1] ^ PREFIX_V6[1]) == 0
    }

    /// The slot in an address, if it has one.
    #[inline(always)]
    pub const fn decode(address: Address) -> Option<Self> {
        let low = u32::from_be(address.0[3]);
        let range = low & !(SLOT_MASK | SOURCE_IS_POD | TRANSPARENT);
        let of_v4 = address.is_v4() && range == RANGE_V4;
        let of_v6 = Self::is_in_network_v6(address) && address.0[2] == 0 && range == RANGE_V6;
        if of_v4 || of_v6 {
            let (source_is_pod, transparent) = (low & SOURCE_IS_POD != 0, low & TRANSPARENT != 0);
            Some(Self { slot: Slot(low & SLOT_MASK), source_is_pod, transparent })
        } else {
            None
        }
    }
}

/// The slots that may hold a destination of a pod, in the order in which they are tried.
#[derive(Clone, Copy, Debug)]
pub struct SlotCandidates(u32);

impl SlotCandidates {
    /// How many there are.
    pub const COUNT: u32 = 8;

    /// The loader chooses a new `seed` whenever it loads the programs. Without that, somebody could prepare
    /// destinations that fill the candidates of another pod.
    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "cookies count up, so their lower halves differ"
    )]
    pub const fn of(entry: &SlotEntry, seed: u32) -> Self {
        let [a, b, c, d] = entry.destination.address.0;
        // IPv4 addresses differ in the last word only, so the other words share one round of mixing.
        let hash = mix(seed ^ a ^ b.rotate_left(11) ^ c.rotate_left(22));
        Self(mix(
            mix(mix(hash ^ d) ^ entry.destination.port as u32) ^ entry.netns_cookie as u32
        ))
    }

    /// The `n`-th candidate, below [`Self::COUNT`].
    #[inline(always)]
    pub const fn nth(self, n: u32) -> Slot {
        let slot = mix(self.0 ^ n.wrapping_mul(0x9e37_79b9)) & SLOT_MASK;
        // Nobody can connect to 127.255.255.255, which is a broadcast address.
        Slot(if slot == SLOT_MASK { 0 } else { slot })
    }
}

/// The finalizer of [MurmurHash3](https://github.com/aappleby/smhasher/wiki/MurmurHash3), a bijection with full
/// avalanche.
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
    use rstest::rstest;

    use super::*;
    use crate::abi::Destination;

    fn entry(ip: u32, port: u16) -> SlotEntry {
        SlotEntry::new(4_001, Destination::new(Address::from(Ipv4Addr::from(ip)), port))
    }

    proptest! {
        #[test]
        fn a_slot_survives_its_address(
            words: [u32; 4],
            port: u16,
            seed: u32,
            n in 0..SlotCandidates::COUNT,
            source_is_pod: bool,
            transparent: bool,
        ) {
            let any_family = SlotEntry::new(u64::from(seed), Destination::new(Address(words), port));
            for entry in [entry(words[3], port), any_family] {
                let slot = SlotCandidates::of(&entry, seed).nth(n);
                let slot_address = SlotAddress { slot, source_is_pod, transparent };
                let address = slot_address.encode(entry.destination.address);
                prop_assert_eq!(address.is_v4(), entry.destination.address.is_v4());
                prop_assert_ne!(address, Address::from(Ipv4Addr::new(127, 255, 255, 255)));
                prop_assert_eq!(SlotAddress::decode(address), Some(slot_address));
            }
        }

        #[test]
        fn only_the_upper_half_of_loopback_holds_slots(ip: u32) {
            let inside = ip >> 23 == 0x7f80_0000 >> 23;
            prop_assert_eq!(SlotAddress::decode(Address::from(Ipv4Addr::from(ip))).is_some(), inside);
        }

        #[test]
        fn other_ipv6_addresses_hold_none(words: [u32; 4]) {
            prop_assume!(words[..2] != PREFIX_V6);
            let address = Address(words);
            prop_assert!(address.is_v4() || SlotAddress::decode(address).is_none());
        }
    }

    /// Similar keys must not get the same slots: neighboring destinations, and one destination in many pods.
    #[rstest]
    #[case::destinations(|index| entry(0x0a00_0000 + index, 80))]
    #[case::pods(|index| SlotEntry { netns_cookie: u64::from(index), ..entry(0x0a00_0000, 80) })]
    fn neighbors_spread(#[case] entry_at: fn(u32) -> SlotEntry) {
        let mut low = [0_u32; 16];
        for index in 0..16_000 {
            let slot = SlotCandidates::of(&entry_at(index), 7).nth(0);
            low[(slot.key() % 16) as usize] += 1;
        }
        assert!(low.iter().all(|count| (800..1200).contains(count)), "{low:?}");
    }
}
