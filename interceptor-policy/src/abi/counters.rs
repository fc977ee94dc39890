// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A pod's counters. The programs add to them; only the loader reads them.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::reason::Reason;

/// One counter for each [`Reason`], per CPU. The number of the reason is the index.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Counters(pub [u64; Reason::COUNT]);

impl Default for Counters {
    fn default() -> Self {
        Self([0; Reason::COUNT])
    }
}
