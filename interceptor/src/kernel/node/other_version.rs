// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What changed between another version of the ABI and this one.
//!
//! Maps that nobody but the loader writes can be made anew, the counters, and the tables of slots. What programs write
//! about sockets is shared, so its layout has to be the same in both versions.

use interceptor_policy::maps::MapName;

/// A version of the ABI that this build knows besides its own.
#[derive(Debug)]
pub(crate) struct OtherVersion {
    pub(crate) number: u32,
    /// The maps whose values changed. All others are the same in both versions, and are shared.
    pub(crate) changed: &'static [ChangedMap],
    /// Set if the values in tables of slots changed. Then each version has its own tables.
    pub(crate) tables: Option<ChangedTables>,
}

/// How the other version keeps slots. The keys of a table are the same, and so are slots in addresses.
#[derive(Debug)]
pub(crate) struct ChangedTables {
    /// The first cell that it gives out. This version must have the other half of the cells.
    pub(crate) other_first: u32,
    /// In bytes.
    pub(crate) other_value_size: usize,
    /// The map by which programs of this version look into tables of the other one.
    pub(crate) read_as: MapName,
    pub(crate) from_other: Convert,
    pub(crate) to_other: Convert,
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
