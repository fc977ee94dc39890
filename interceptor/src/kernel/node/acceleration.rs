// SPDX-License-Identifier: Apache-2.0 OR MIT
use std::{
    fs,
    os::fd::{AsFd as _, OwnedFd},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use aya::{
    Ebpf,
    maps::{HashMap, Map, MapData, SockHash},
};
use interceptor_policy::{
    Address,
    acceleration::{FlowKey, Handshake},
};

use crate::kernel::{
    node::bpffs::remove_tree,
    node::maps::absent_is_fine,
    programs::object::{self, ACCELERATION_CGROUP_PROGRAMS, MESSAGE, URGENT},
    sys,
    sys::pod_type::Raw,
};

/// What exists on a node while pods are accelerated, pinned beside what always exists.
///
/// Removing the pins is safe at any time: a socket in the table keeps the program for messages, and with it the maps,
/// until it is closed. Without its pod's entry that program sends everything by TCP from the next message on.
pub(crate) struct Acceleration {
    directory: PathBuf,
    accelerated: SockHash<MapData, Raw<FlowKey>>,
    ends: HashMap<MapData, Raw<FlowKey>, Raw<Handshake>>,
    neighbors: HashMap<MapData, Raw<Address>, u64>,
}

impl Acceleration {
    /// Where it is, whether it is there or not.
    pub(crate) fn directory(version: &Path) -> PathBuf {
        version.join("acceleration")
    }

    /// Opens what is there, if anything is.
    pub(crate) fn open(version: &Path) -> Result<Option<Self>> {
        let directory = Self::directory(version);
        if fs::exists(&directory).with_context(|| format!("Failed to look at {}", directory.display()))? {
            Self::open_maps(directory).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Loads maps and programs. They are put together aside and appear at their place in one step.
    pub(crate) fn load(version: &Path) -> Result<Self> {
        let staging = version.join("acceleration-new");
        remove_tree(&staging)?;
        let loaded = pin(version, &staging).and_then(|()| {
            let directory = Self::directory(version);
            fs::rename(&staging, &directory)
                .with_context(|| format!("Failed to put {} in place", directory.display()))?;
            Self::open_maps(directory)
        });
        if loaded.is_err() {
            // What failed is worth more than a failure to tidy up after it; the next run tidies up too.
            let _tidied = remove_tree(&staging);
        }
        loaded
    }

    /// Removes it from the node.
    pub(crate) fn remove(self) -> Result<()> {
        remove_tree(&self.directory).map(drop)
    }

    /// Makes known which pod has which address.
    pub(crate) fn set_local_pods(&mut self, wanted: &[(Address, u64)]) -> Result<()> {
        let known: Result<Vec<_>, _> = self.neighbors.iter().collect();
        for (Raw(address), cookie) in known.context("Failed to read the addresses of accelerated pods")? {
            if !wanted.contains(&(address, cookie)) {
                absent_is_fine(self.neighbors.remove(&Raw(address)))
                    .context("Failed to remove the address of an accelerated pod")?;
            }
        }
        for (address, cookie) in wanted {
            let written = self.neighbors.insert(Raw(*address), cookie, 0);
            written.with_context(|| format!("Failed to write the address {address} of an accelerated pod"))?;
        }
        Ok(())
    }

    /// Whether sockets of this pod are in the table.
    pub(crate) fn has_sockets_of(&self, netns_cookie: u64) -> Result<bool> {
        for key in self.accelerated.keys() {
            match key {
                Ok(Raw(key)) if key.netns_cookie == netns_cookie => return Ok(true),
                Ok(_) => {}
                Err(error) => return Err(error).context("Failed to read the table of accelerated sockets"),
            }
        }
        Ok(false)
    }

    /// Removes what a pod's sockets noted, when its programs are no longer there to do so.
    pub(crate) fn forget_ends_of(&mut self, netns_cookie: u64) -> Result<()> {
        let keys: Result<Vec<_>, _> = self.ends.keys().collect();
        for key in keys.context("Failed to read the notes of accelerated sockets")? {
            if key.0.netns_cookie == netns_cookie {
                absent_is_fine(self.ends.remove(&key)).context("Failed to remove the note of an accelerated socket")?;
            }
        }
        Ok(())
    }

    fn open_maps(directory: PathBuf) -> Result<Self> {
        let map = |name: &str| {
            let path = directory.join("maps").join(name);
            let data =
                MapData::from_pin(&path).with_context(|| format!("Failed to open the map {}", path.display()))?;
            Map::from_map_data(data).with_context(|| format!("Failed to make sense of the map {}", path.display()))
        };
        Ok(Self {
            accelerated: map("ACCELERATED")?.try_into()?,
            ends: map("HANDSHAKES")?.try_into()?,
            neighbors: map("LOCAL_PODS")?.try_into()?,
            directory,
        })
    }
}

fn pin(version: &Path, staging: &Path) -> Result<()> {
    let [maps, programs, links] = ["maps", "programs", "links"].map(|name| staging.join(name));
    for directory in [&maps, &programs, &links] {
        fs::create_dir_all(directory).with_context(|| format!("Failed to create {}", directory.display()))?;
    }
    let mut object = object::load_acceleration(&version.join("maps"), &maps)?;
    for info in ACCELERATION_CGROUP_PROGRAMS {
        info.pin(&mut object, &programs)?;
    }
    if let Some(link) = attach(&mut object)? {
        let path = links.join(URGENT.name);
        sys::bpf_obj_pin(&link, &path).with_context(|| format!("Failed to pin {}", path.display()))?;
    }
    Ok(())
}

/// Attaches what is attached once per node: to the table, and to a function of the kernel, if the kernel lets us. The
/// link is that of the latter. Without it, urgent data on accelerated connections goes as ordinary data.
pub(crate) fn attach(object: &mut Ebpf) -> Result<Option<OwnedFd>> {
    let program = MESSAGE
        .of(object)?
        .fd()
        .with_context(|| format!("Failed to use {}", MESSAGE.name))?
        .try_clone();
    let program = program.with_context(|| format!("Failed to use {}", MESSAGE.name))?;
    let Some(Map::SockHash(table)) = object.map("ACCELERATED") else {
        bail!("The kernel object has no socket map ACCELERATED")
    };
    MESSAGE.attach_to_map(&program.as_fd(), &table.fd().as_fd())?;
    let traced = object::load(object, URGENT).and_then(|()| {
        let program = URGENT
            .of(object)?
            .fd()
            .with_context(|| format!("Failed to use {}", URGENT.name))?;
        URGENT.trace(&program.as_fd())
    });
    Ok(traced
        .inspect_err(|error| {
            tracing::warn!("urgent data (MSG_OOB) on accelerated connections will arrive as ordinary data: {error:#}")
        })
        .ok())
}
