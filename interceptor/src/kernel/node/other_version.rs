// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What changed between another version of the ABI and this one.
//!
//! Only maps that nobody but the loader writes can be made anew, and the counters. What programs write about
//! connections (slots, sockets) is shared, so its layout has to be the same in both versions.

use interceptor_policy::maps::MapName;

/// A version of the ABI that this build knows besides its own.
#[derive(Debug)]
pub(crate) struct OtherVersion {
    pub(crate) number: u32,
    /// The maps whose values changed. All others are the same in both versions, and are shared.
    pub(crate) changed: &'static [ChangedMap],
}

/// A map that each version has its own of. The keys are the same.
#[derive(Debug)]
pub(crate) struct ChangedMap {
    pub(crate) name: MapName,
    /// This version's value for one of the other version.
    pub(crate) from_other: Convert,
    /// The other version's value for one of this version.
    pub(crate) to_other: Convert,
}

/// Makes a value of one version of one of the other. A value has as many bytes as the map says.
pub(crate) type Convert = fn(&[u8]) -> Vec<u8>;
