// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A way to install something, as data. Runs nothing.

/// Reads the lists of packages anew.
pub(crate) const UPDATE: &str = "apt-get update";

/// Commands that install an item, to be run one after the other.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InstallMethod {
    pub(crate) name: String,
    pub(crate) commands: Vec<String>,
    /// Whether setup runs the commands without asking. It only prints the others.
    pub(crate) automatic: bool,
}
