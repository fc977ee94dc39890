// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which cgroup hierarchies the node sees.

use std::{fmt, path::Path};

use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};
use serde::{Deserialize, Serialize};

/// How cgroups are mounted on the node.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CgroupMode {
    /// The controllers are in cgroup1 hierarchies, and cgroup2 is mounted at `/sys/fs/cgroup/unified`. kubelet makes
    /// pods' directories in cgroup1 only; the runtime makes those in cgroup2, with the first process.
    Hybrid,
    /// cgroup2 alone, at `/sys/fs/cgroup`. kubelet makes pods' directories, before it calls the runtime.
    Unified,
}

impl CgroupMode {
    pub const ALL: [Self; 2] = [Self::Hybrid, Self::Unified];

    /// Whether this machine can show it to a node. One without cgroup1 cannot be hybrid.
    pub fn is_possible(self) -> bool {
        match self {
            Self::Hybrid => !machine_is_unified(),
            Self::Unified => true,
        }
    }

    /// Where the node sees cgroup2.
    pub fn cgroup2(self) -> &'static Path {
        Path::new(match self {
            Self::Hybrid => "/sys/fs/cgroup/unified",
            Self::Unified => "/sys/fs/cgroup",
        })
    }

    /// Whether the cgroup2 that the node sees has no controllers, because the machine has bound them to cgroup1. To be
    /// asked outside of the node.
    pub fn is_without_controllers(self) -> bool {
        self == Self::Unified && !machine_is_unified()
    }
}

impl fmt::Display for CgroupMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Hybrid => "hybrid",
            Self::Unified => "unified",
        })
    }
}

fn machine_is_unified() -> bool {
    statfs("/sys/fs/cgroup").is_ok_and(|filesystem| filesystem.filesystem_type() == CGROUP2_SUPER_MAGIC)
}
