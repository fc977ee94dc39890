// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A pod's counters. The programs add to them; only the loader reads them.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::reason::Reason;

/// One counter for each [`Reason`], per CPU. The number of the reason is the index.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Counters(pub [u64; COUNT]);

/// In the version of the ABI for tests there is one more, which counts nothing.
const COUNT: usize = Reason::COUNT + cfg!(feature = "other-abi") as usize;

impl Default for Counters {
    fn default() -> Self {
        Self([0; COUNT])
    }
}
