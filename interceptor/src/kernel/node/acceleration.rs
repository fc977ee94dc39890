// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What exists on a node while any pod is accelerated, pinned beside what always exists. Whether a connection is
//! accelerated is decided in `interceptor_policy::acceleration`, not here.

use std::{
    fs,
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use aya::{
    Ebpf,
    maps::{HashMap, Map, MapData, SockHash},
};
use interceptor_policy::{
    Address,
    acceleration::{FlowKey, Handshake},
    maps::{self, MapName},
};

use crate::kernel::{
    node::layout::{AccelerationLayout, Layout},
    programs::{
        build::Build,
        object::{self, LoadError},
        table::{ACCELERATION_CGROUP_PROGRAMS, MESSAGE, URGENT},
    },
    sys::{
        self,
        map_error::absent_is_fine,
        pod_type::Raw,
        tree::{create_directory, remove_tree},
    },
};

/// The pinned maps and programs of acceleration.
///
/// Removing the pins is safe at any time. A socket in the map keeps the program for messages, and the program keeps
/// the maps, until the socket is closed. Without its pod's entry that program sends everything by TCP from the next
/// message on.
pub(crate) struct PinnedAcceleration {
    layout: AccelerationLayout,
    accelerated: SockHash<MapData, Raw<FlowKey>>,
    handshakes: HashMap<MapData, Raw<FlowKey>, Raw<Handshake>>,
    local_pods: HashMap<MapData, Raw<Address>, u64>,
}

impl PinnedAcceleration {
    /// Opens what is there, if anything is.
    pub(crate) fn open(layout: &Layout) -> Result<Option<Self>> {
        let layout = layout.acceleration();
        if fs::exists(layout.root()).with_context(|| format!("Failed to look at {}", layout.root().display()))? {
            Self::open_maps(layout).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Loads maps and programs. They are put together in a staging directory and renamed into place in one step.
    pub(crate) fn load(layout: &Layout) -> Result<Self> {
        let staging = layout.acceleration_staging();
        remove_tree(staging.root())?;
        let loaded = pin(&layout.maps(), &staging).and_then(|()| {
            let layout = layout.acceleration();
            fs::rename(staging.root(), layout.root())
                .with_context(|| format!("Failed to put {} in place", layout.root().display()))?;
            Self::open_maps(layout)
        });
        if loaded.is_err() {
            // The first error is the one to report. The next run cleans up as well.
            let _cleaned = remove_tree(staging.root());
        }
        loaded
    }

    /// Removes it from the node.
    pub(crate) fn remove(self) -> Result<()> {
        remove_tree(self.layout.root()).map(drop)
    }

    /// Makes known which pod has which address.
    pub(crate) fn set_local_pods(&mut self, wanted: &[(Address, u64)]) -> Result<()> {
        let known: Result<Vec<_>, _> = self.local_pods.iter().collect();
        for (Raw(address), cookie) in known.context("Failed to read the addresses of accelerated pods")? {
            if !wanted.contains(&(address, cookie)) {
                absent_is_fine(self.local_pods.remove(&Raw(address)))
                    .context("Failed to remove the address of an accelerated pod")?;
            }
        }
        for (address, cookie) in wanted {
            let written = self.local_pods.insert(Raw(*address), cookie, 0);
            written.with_context(|| format!("Failed to write the address {address} of an accelerated pod"))?;
        }
        Ok(())
    }

    /// Whether sockets of this pod are in the map.
    pub(crate) fn has_sockets_of(&self, netns_cookie: u64) -> Result<bool> {
        for key in self.accelerated.keys() {
            match key {
                Ok(Raw(key)) if key.netns_cookie == netns_cookie => return Ok(true),
                Ok(_) => {}
                Err(error) => return Err(error).context("Failed to read the map of accelerated sockets"),
            }
        }
        Ok(false)
    }

    /// Removes the handshakes of a pod's sockets. The pod's programs, which do this when a socket closes, are gone.
    pub(crate) fn forget_handshakes_of(&mut self, netns_cookie: u64) -> Result<()> {
        let keys: Result<Vec<_>, _> = self.handshakes.keys().collect();
        for key in keys.context("Failed to read the handshakes of accelerated sockets")? {
            if key.0.netns_cookie == netns_cookie {
                absent_is_fine(self.handshakes.remove(&key))
                    .context("Failed to remove the handshake of an accelerated socket")?;
            }
        }
        Ok(())
    }

    fn open_maps(layout: AccelerationLayout) -> Result<Self> {
        let map = |name: MapName| {
            let path = layout.maps().join(name.as_str());
            let data = MapData::from_pin(&path);
            let data = data.with_context(|| format!("Failed to open the map {}", path.display()))?;
            Map::from_map_data(data).with_context(|| format!("{} is a map of a kind that is not known", path.display()))
        };
        Ok(Self {
            accelerated: map(maps::ACCELERATED)?.try_into()?,
            handshakes: map(maps::HANDSHAKES)?.try_into()?,
            local_pods: map(maps::LOCAL_PODS)?.try_into()?,
            layout,
        })
    }
}

/// Attaches what is attached once per node: [`MESSAGE`] to the map of accelerated sockets, and [`URGENT`] to its
/// kernel function, if the kernel allows it. The link is that of [`URGENT`]. Without it, urgent data on accelerated
/// connections arrives as ordinary data.
pub(crate) fn attach(object: &mut Ebpf) -> Result<Option<OwnedFd>> {
    let program = MESSAGE.fd_in(object)?;
    let Some(Map::SockHash(sockets)) = object.map(maps::ACCELERATED.as_str()) else {
        bail!("The kernel object has no socket map ACCELERATED")
    };
    sys::bpf_prog_attach(&program.as_fd(), &sockets.fd().as_fd(), MESSAGE.attach_type as u32)
        .with_context(|| format!("Failed to attach {}", MESSAGE.name))?;
    let traced = object::load(object, URGENT).map_err(LoadError::into).and_then(|()| {
        let program = URGENT.fd_in(object)?;
        let link = sys::bpf_raw_tracepoint_open(&program.as_fd());
        link.with_context(|| format!("Failed to attach {}", URGENT.name))
    });
    Ok(traced
        .inspect_err(|error: &anyhow::Error| {
            tracing::warn!("urgent data (MSG_OOB) on accelerated connections will arrive as ordinary data: {error:#}");
        })
        .ok())
}

/// Loads the programs of this build for the maps of a node, pinned in `programs`. They are attached to nothing.
pub(crate) fn load_programs(node: &Layout, programs: &Path) -> Result<()> {
    let mut object = object::load_acceleration(&node.maps(), &node.acceleration().maps())?;
    if let Err(error) = object::load(&mut object, URGENT) {
        tracing::debug!("{}: {error:#}", URGENT.name); // attaching them says what that means
    }
    pin_programs(&mut object, programs)
}

/// Attaches what is attached once per node, with the programs pinned in `programs`, in the place of what is there.
pub(crate) fn attach_programs(layout: &AccelerationLayout, programs: &Path) -> Result<()> {
    let open = |path: &Path| sys::bpf_obj_get(path).with_context(|| format!("Failed to open {}", path.display()));
    let (message, sockets) = (programs.join(MESSAGE.name), layout.maps().join(maps::ACCELERATED.as_str()));
    sys::bpf_prog_attach(&open(&message)?, &open(&sockets)?, MESSAGE.attach_type as u32)
        .with_context(|| format!("Failed to attach {}", MESSAGE.name))?;
    let urgent = programs.join(URGENT.name);
    if urgent.exists() {
        let link = sys::bpf_raw_tracepoint_open(&open(&urgent)?);
        let link = link.with_context(|| format!("Failed to attach {}", URGENT.name))?;
        // A link of this kind cannot be given another program. For a moment both mark what is urgent, which is no harm.
        let (new, path) = (
            layout.links().join(format!("{}_next", URGENT.name)),
            layout.links().join(URGENT.name),
        );
        remove_tree(&new)?;
        sys::bpf_obj_pin(&link, &new).with_context(|| format!("Failed to pin {}", new.display()))?;
        fs::rename(&new, &path).with_context(|| format!("Failed to put {} in place", path.display()))?;
    }
    Ok(())
}

fn pin(shared_maps: &Path, staging: &AccelerationLayout) -> Result<()> {
    staging
        .directories()
        .iter()
        .try_for_each(|directory| create_directory(directory))?;
    let mut object = object::load_acceleration(shared_maps, &staging.maps())?;
    if let Some(link) = attach(&mut object)? {
        let path = staging.links().join(URGENT.name);
        sys::bpf_obj_pin(&link, &path).with_context(|| format!("Failed to pin {}", path.display()))?;
    }
    pin_programs(&mut object, &staging.programs())
}

fn pin_programs(object: &mut Ebpf, programs: &Path) -> Result<()> {
    for info in ACCELERATION_CGROUP_PROGRAMS.into_iter().chain([MESSAGE]) {
        info.pin(object, programs)?;
    }
    if URGENT.fd_in(object).is_ok() {
        URGENT.pin(object, programs)?;
    }
    Build::this().note(programs, MESSAGE)
}
