// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is told of an upgrade, before it is done and after.

use crate::kernel::programs::build::Build;

/// An upgrade of a node, to be done or done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// The build whose programs are replaced. `None` if nothing tells.
    pub from: Option<Build>,
    pub to: Build,
    /// The version of the ABI that the pods had.
    pub from_abi: u32,
    /// The one that they get, which is most often the same.
    pub to_abi: u32,
    /// How many pods are enrolled.
    pub pods: usize,
}

impl Upgrade {
    /// Whether the programs are of the wanted build already.
    pub fn is_done(&self) -> bool {
        self.from.as_ref() == Some(&self.to)
    }
}
