// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Entries in tables of slots as the former version of the ABI writes them, for programs of this one that take over
//! from it. Only the version for tests has another layout than its former one.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, transmute};

use super::slots::Destination;
use crate::slot::Slot;

/// A value of the former version.
pub type FormerSlotValue = [u64; 3];

/// A [`Cell`](super::Cell) of the former version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct FormerCell {
    pub destination: Destination,
    pub generation: u32,
}

impl FormerCell {
    /// The slot of the cell with this number.
    #[inline(always)]
    pub const fn slot(&self, number: u32) -> Slot {
        Slot::new(number, self.generation)
    }
}

impl From<FormerSlotValue> for FormerCell {
    #[inline(always)]
    fn from(value: FormerSlotValue) -> Self {
        transmute!(value)
    }
}
