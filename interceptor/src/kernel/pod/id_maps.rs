// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How the user namespace that owns a pod numbers users and groups, as `/proc` shows it. It never guesses a number.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use anyhow::{Context as _, Result, bail};

use crate::kernel::sys;
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
    for process in fs::read_dir("/proc").context("Failed to list /proc")? {
        let process = process.context("Failed to list /proc")?.path();
        // A process may end at any moment, and most entries are none.
        if fs::metadata(process.join("ns/user")).is_ok_and(|namespace| namespace.ino() == inode) {
            return Ok(IdMaps { users: read(&process.join("uid_map"))?, groups: read(&process.join("gid_map"))? });
        }
    }
    bail!(
        "No process of the pod's user namespace (user:[{inode}]) is visible in /proc, so its user and group ids cannot \
         be translated"
    )
}

fn read(path: &Path) -> Result<IdMap> {
    let text = fs::read_to_string(path).with_context(|| format!("Failed to read {}", path.display()))?;
    IdMap::parse(&text).with_context(|| format!("Failed to make sense of {}", path.display()))
}
