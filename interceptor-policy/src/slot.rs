// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Slots, and how a slot is written into an address. What a slot stands for is in its pod's table, not here.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::address::Address;

/// A number that stands for a destination of one pod while a redirected connection lasts.
///
/// It is in the low bits of the local address that the connection really goes to. So the programs find the destination
/// again without any state per connection, and every destination has the whole range of ephemeral ports.
///
/// The low 17 bits are a cell of the pod's table, the next 4 bits a generation. A cell that is given to another
/// destination gets the next generation. So the address of a connection that is older leads to no destination instead
/// of to the wrong one.
///
/// A version of the ABI gives out the cells of one half only, from [`Self::FIRST`] on. The other half is for a version
/// that keeps its tables in another layout. While the one takes over from the other, programs of both give out slots,
/// and never the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(transparent)]
pub struct Slot(u32);

const HALF_BITS: u32 = 16;
const CELL_BITS: u32 = HALF_BITS + 1;
const GENERATION_BITS: u32 = 4;
const SLOT_BITS: u32 = CELL_BITS + GENERATION_BITS;
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
    /// How many cells a pod has. The last number of a half is none: nobody can connect to 127.255.255.255, which is a
    /// broadcast address.
    pub const CELLS: u32 = (1 << HALF_BITS) - 1;

    /// The first cell that this version gives out. Whoever changes the layout of the tables takes the other half.
    pub const FIRST: u32 = if cfg!(feature = "other-abi") { 1 << HALF_BITS } else { 0 };

    /// The cells that this version gives out are those before this one.
    pub const END: u32 = Self::FIRST + Self::CELLS;

    /// How many slots a cell is given to, one after the other, before the first of them is in use again.
    pub const GENERATIONS: u32 = 1 << GENERATION_BITS;

    /// The slot of a cell, of either half, in a generation. Generations go round.
    #[inline(always)]
    pub const fn new(cell: u32, generation: u32) -> Self {
        Self((generation % Self::GENERATIONS) << CELL_BITS | cell)
    }

    #[inline(always)]
    pub const fn cell(self) -> u32 {
        self.0 & ((1 << CELL_BITS) - 1)
    }

    #[inline(always)]
    pub const fn generation(self) -> u32 {
        self.0 >> CELL_BITS
    }

    /// Whether this version gives out the cell. Otherwise it is of the other half.
    #[inline(always)]
    pub const fn is_own_cell(cell: u32) -> bool {
        cell.wrapping_sub(Self::FIRST) < Self::CELLS
    }

    /// Equality, as a number.
    #[inline(always)]
    pub const fn same(self, other: Self) -> bool {
        self.0 == other.0
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

/// The `n`-th of the cells that are tried one after the other for a destination that gets a cell which was used before.
#[inline(always)]
pub const fn nth_cell(random: u32, n: u32) -> u32 {
    Slot::FIRST + mix(random ^ n.wrapping_mul(0x9e37_79b9)) % Slot::CELLS
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

    use super::*;

    proptest! {
        #[test]
        fn a_slot_survives_its_address(
            words: [u32; 4],
            ip: u32,
            cell in (0..2 * Slot::CELLS + 1).prop_filter("no cell ends a half", |cell| *cell != Slot::CELLS),
            generation: u32,
            source_is_pod: bool,
            transparent: bool,
        ) {
            let slot = Slot::new(cell, generation);
            prop_assert_eq!((slot.cell(), slot.generation()), (cell, generation % Slot::GENERATIONS));
            for destination in [Address(words), Address::from(Ipv4Addr::from(ip))] {
                let slot_address = SlotAddress { slot, source_is_pod, transparent };
                let address = slot_address.encode(destination);
                prop_assert_eq!(address.is_v4(), destination.is_v4());
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

    /// A pod's destination is refused only if nearly the whole table is in use. So the cells that are tried must be all
    /// over it.
    #[test]
    fn the_cells_that_are_tried_spread() {
        let mut tried = [0_u32; 64];
        for random in 0..1000 {
            for n in 0..32 {
                let cell = nth_cell(random, n);
                assert!(Slot::is_own_cell(cell));
                tried[((cell - Slot::FIRST) >> 10) as usize] += 1;
            }
        }
        assert!(tried.iter().all(|count| (400..600).contains(count)), "{tried:?}");
    }
}
