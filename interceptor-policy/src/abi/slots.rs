// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is remembered about a redirected connection or question: where it was going.
//!
//! A pod's table of slots is one trie, because a trie takes memory only for what is in it. All keys have the same
//! length, so it is used as a map. It holds three kinds of entries: [`Cell`], [`Use`] and [`FreeCells`].

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, transmute};

use crate::{address::Address, slot::Slot};

/// Where a redirected connection was going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Destination {
    pub address: Address,
    /// Host byte order.
    pub port: u16,
    pub padding: u16,
}

impl Destination {
    #[inline(always)]
    pub const fn new(address: Address, port: u16) -> Self {
        Self { address, port, padding: 0 }
    }

    /// Equality, word by word.
    #[inline(always)]
    pub const fn same(&self, other: &Self) -> bool {
        self.address.same(other.address) && self.port == other.port
    }
}

/// A key in a pod's table of slots. The kernel compares keys from the front, eight bytes at a time, so what differs
/// most stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct SlotKey {
    /// The last word of an address, or the number of a cell.
    first: u32,
    /// A port, below 2^16, or one of the kinds of entries below.
    kind: u32,
    /// The rest of an address.
    rest: [u32; 3],
    /// Aligns the value, which the kernel keeps right after the key.
    padding: u32,
}

const CELL: u32 = 1 << 16;
const FREE_CELLS: u32 = 2 << 16;

impl SlotKey {
    /// The length of every key, in bits.
    pub const BITS: u32 = 192;

    /// How many entries a table can have: one [`Cell`] and one [`Use`] for each cell, [`FreeCells`], and one [`Cell`]
    /// for each that another version of the ABI gave out.
    pub const MAX_ENTRIES: u32 = 3 * Slot::CELLS + 1;

    /// The key of the [`FreeCells`].
    pub const FREE_CELLS: Self = Self { first: 0, kind: FREE_CELLS, rest: [0; 3], padding: 0 };

    /// The key of a [`Cell`].
    #[inline(always)]
    pub const fn of_cell(cell: u32) -> Self {
        Self { first: cell, kind: CELL, rest: [0; 3], padding: 0 }
    }

    /// The number of the cell if it is the key of a [`Cell`].
    pub const fn cell(&self) -> Option<u32> {
        if self.kind == CELL { Some(self.first) } else { None }
    }

    /// The key of a [`Use`].
    #[inline(always)]
    pub const fn of_destination(destination: Destination) -> Self {
        let [a, b, c, first] = destination.address.0;
        Self { first, kind: destination.port as u32, rest: [a, b, c], padding: 0 }
    }

    /// Whether it is the key of a [`Use`].
    pub const fn is_of_destination(&self) -> bool {
        self.kind < CELL
    }
}

/// A value in a pod's table of slots. It is not a struct, because Linux before 6.2 would then want type information of
/// every pod's table
/// ([`bpf_map_meta_equal`](https://github.com/torvalds/linux/blob/v6.1/kernel/bpf/map_in_map.c#L74)). Programs read and
/// write it word by word.
pub type SlotValue = [u64; WORDS];

/// In the version of the ABI for tests, a value is longer, and every field has another place.
const WORDS: usize = 3 + cfg!(feature = "other-abi") as usize;

/// Defines how an entry is read from a value, and written to one. The sizes are compared when this is compiled.
macro_rules! values {
    ($($entry:ident),+) => {$(
        impl From<SlotValue> for $entry {
            #[inline(always)]
            fn from(value: SlotValue) -> Self {
                transmute!(value)
            }
        }

        impl From<$entry> for SlotValue {
            #[inline(always)]
            fn from(entry: $entry) -> Self {
                transmute!(entry)
            }
        }
    )+};
}

values!(Cell, Use, FreeCells);

/// A cell of the table: the slot that it stands for now, and that slot's destination. It is never changed: another slot
/// is another entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Cell {
    #[cfg(feature = "other-abi")]
    pub moved: u64,
    pub destination: Destination,
    /// The slot's generation. It counts on, and the slot has the low bits.
    pub generation: u32,
}

impl Cell {
    #[inline(always)]
    pub const fn new(destination: Destination, generation: u32) -> Self {
        Self {
            #[cfg(feature = "other-abi")]
            moved: 0,
            destination,
            generation,
        }
    }

    /// The slot of the cell with this number.
    #[inline(always)]
    pub const fn slot(&self, number: u32) -> Slot {
        Slot::new(number, self.generation)
    }
}

/// The slot that a destination has, and when it was last connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Use {
    #[cfg(feature = "other-abi")]
    pub moved: u64,
    pub slot: Slot,
    /// Seconds since the machine started.
    pub last: u32,
    pub padding: [u32; 4],
}

impl Use {
    /// For how many seconds a slot keeps its destination after the last connection to it.
    pub const KEPT: u32 = 30;
    /// The word of the value that has [`Self::last`].
    pub const LAST: usize = WORDS - 3;

    #[inline(always)]
    pub const fn new(slot: Slot, now: u32) -> Self {
        Self {
            #[cfg(feature = "other-abi")]
            moved: 0,
            slot,
            last: now,
            padding: [0; 4],
        }
    }

    /// Whether the destination keeps its slot.
    #[inline(always)]
    pub const fn is_recent(&self, now: u32) -> bool {
        now.wrapping_sub(self.last) < Self::KEPT
    }
}

/// Where the cells begin that were never used. A table in which no cell was used has no such entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct FreeCells {
    #[cfg(feature = "other-abi")]
    pub moved: u64,
    /// Most cells before this one were used. At [`Slot::END`] there is no other.
    pub next: u64,
    pub padding: [u64; 2],
}

impl FreeCells {
    /// The word of the value that has [`Self::next`].
    pub const NEXT: usize = WORDS - 3;
    /// No cell was used.
    pub const ALL: Self = Self::beginning_with(Slot::FIRST);

    /// Cells from this one on.
    #[inline(always)]
    pub const fn beginning_with(next: u32) -> Self {
        Self {
            #[cfg(feature = "other-abi")]
            moved: 0,
            next: next as u64,
            padding: [0; 2],
        }
    }
}

/// A cell that a program is giving to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct CellClaim {
    /// The pod: the cookie of its network namespace.
    pub netns_cookie: u64,
    pub cell: u64,
}

/// The DNS server that a UDP socket asks by way of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct AskedServer {
    pub server: Destination,
    /// Not zero when the socket asks from loopback although its application left the source open. Then the application
    /// is shown the pod's address.
    pub source_is_pod: u32,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// One destination's entry is never another entry.
        #[test]
        fn entries_of_different_kinds_have_different_keys(words: [u32; 4], port: u16, cell in Slot::FIRST..Slot::END) {
            let use_key = SlotKey::of_destination(Destination::new(Address(words), port));
            prop_assert_ne!(use_key, SlotKey::of_cell(cell));
            prop_assert_ne!(use_key, SlotKey::FREE_CELLS);
            prop_assert_ne!(SlotKey::of_cell(cell), SlotKey::FREE_CELLS);
        }
    }

    /// A clock of 32 bits goes round after 136 years, and the first seconds after that are like all others.
    #[test]
    fn a_slot_keeps_its_destination_for_a_while() {
        for last in [0, 7, u32::MAX - 3] {
            let used = Use::new(Slot::new(5, 0), last);
            assert!(used.is_recent(last));
            assert!(used.is_recent(last.wrapping_add(Use::KEPT - 1)));
            assert!(!used.is_recent(last.wrapping_add(Use::KEPT)));
        }
    }
}
