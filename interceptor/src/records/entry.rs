// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What every record has.

use serde::{Serialize, de::DeserializeOwned};

/// What there is a record of: pods by their sandboxes ([`Record`](super::Record)), rules by their network namespaces
/// ([`RulesRecord`](super::RulesRecord)), or pods that are not intercepted, by their UIDs
/// ([`UnprotectedRecord`](super::UnprotectedRecord)).
pub trait Entry: Serialize + DeserializeOwned {
    /// The directory of such records in the run directory.
    const DIRECTORY: &'static str;

    /// The name of the record's file, without its suffix.
    fn key(&self) -> String;
}
