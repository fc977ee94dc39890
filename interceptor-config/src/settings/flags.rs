// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a command line gives. It holds texts as they were written, and judges none of them.

use std::collections::BTreeMap;

use super::table::Setting;
use crate::values::go;

/// The text of each setting that has been given by its flag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags(BTreeMap<Setting, String>);

impl Flags {
    /// Whether no flag was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text of a flag that was given.
    pub fn get(&self, setting: Setting) -> Option<&str> {
        self.0.get(&setting).map(String::as_str)
    }

    /// Whether a switch was given, and as true.
    pub fn is_on(&self, setting: Setting) -> bool {
        self.get(setting).and_then(go::parse_bool).unwrap_or(false)
    }

    /// Gives a flag, as on a command line: the second text of a flag replaces the first.
    #[must_use]
    pub fn with(mut self, setting: Setting, text: impl Into<String>) -> Self {
        self.0.insert(setting, text.into());
        self
    }
}
