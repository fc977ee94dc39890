// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One thing that building or testing needs. Never says whether this machine has it.

use crate::suite::Suite;

pub(crate) struct Item {
    pub(crate) name: &'static str,
    pub(crate) why: &'static str,
    pub(crate) purpose: Purpose,
    pub(crate) need: Need,
    /// The packages of Debian and Ubuntu that hold it.
    pub(crate) debian: &'static str,
    /// The packages of Fedora that hold it.
    pub(crate) fedora: &'static str,
    /// The packages of Arch Linux that hold it.
    pub(crate) arch: &'static str,
}

/// What an item is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    Build,
    Lint,
    Test,
    /// One suite only.
    Suite(Suite),
    /// Programs for machines of arm64, and booting its kernels.
    Arm64,
}

impl Purpose {
    /// Whether what `other` needs is needed for this, too.
    pub(crate) fn includes(self, other: Self) -> bool {
        match self {
            Self::Build | Self::Lint | Self::Test => other <= self,
            Self::Suite(_) => other == self || other <= Self::Test,
            Self::Arm64 => other == self || other == Self::Build,
        }
    }

    /// The command that installs what it needs.
    pub(crate) fn setup(self) -> &'static str {
        match self {
            Self::Build | Self::Lint | Self::Test | Self::Suite(_) => "cargo xtask setup",
            Self::Arm64 => "cargo xtask setup --arm64",
        }
    }
}

/// What has to be there.
#[derive(Clone, Copy)]
pub(crate) enum Need {
    CoreSource,
    Lints,
    Linker,
    /// Rust's libraries for arm64.
    Arm64Target,
    Programs(&'static [&'static str]),
    /// Programs in a place where every user finds them and may run them. A home directory is no such place.
    SystemPrograms(&'static [&'static str]),
    Envoy,
    Helm,
    Promtool,
    CniPlugins,
    Kubernetes,
}

impl Item {
    /// The suite that alone needs it.
    pub(crate) fn suite(&self) -> Option<Suite> {
        if let Purpose::Suite(suite) = self.purpose { Some(suite) } else { None }
    }
}
