// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How the user namespace that owns a pod numbers users and groups, as `/proc` shows it. It never guesses a number.

use std::{fs::File, os::unix::fs::MetadataExt as _};

use anyhow::{Context as _, Result, bail};

use crate::kernel::{
    pod::process::{OpenProcess, processes},
    sys,
};
use interceptor_config::{IdMap, IdMaps};

/// The inode number of the initial user namespace
/// ([`proc_ns.h`](https://github.com/torvalds/linux/blob/v6.12/include/linux/proc_ns.h#L44)).
const INITIAL: u64 = 0xefff_fffd;

/// How the user namespace that owns a network namespace maps ids.
pub(crate) fn id_maps(netns: &File) -> Result<IdMaps> {
    let owner = sys::owning_user_namespace(netns)
        .context("Failed to ask for the user namespace that owns the pod (NS_GET_USERNS)")?;
    let inode = File::from(owner)
        .metadata()
        .context("Failed to look at the pod's user namespace")?
        .ino();
    if inode == INITIAL {
        return Ok(IdMaps::default());
    }
    // A namespace has no name; any process in it tells its maps.
    let processes = processes();
    for process in OpenProcess::listed_in(processes)? {
        let is_member = || process.namespace("user") == Some(inode);
        if !is_member() {
            continue;
        }
        let (users, groups) = (process.read("uid_map"), process.read("gid_map"));
        // A process may end at any moment, or go into a namespace below this one. None comes back from there.
        if let (Ok(users), Ok(groups), true) = (users, groups, is_member()) {
            return Ok(IdMaps { users: parse("uid_map", &users)?, groups: parse("gid_map", &groups)? });
        }
    }
    bail!(
        "No process of the pod's user namespace (user:[{inode}]) is visible in {}, so its user and group ids cannot be \
         translated",
        processes.display()
    )
}

fn parse(name: &str, text: &str) -> Result<IdMap> {
    IdMap::parse(text).with_context(|| format!("Failed to make sense of the {name} of the pod's user namespace"))
}
