// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What all pods of the node share, as it is pinned: maps and programs. It never decides what a pod needs.

use std::{
    collections::{HashMap, HashSet},
    fs,
    io::ErrorKind,
    os::unix::fs::MetadataExt as _,
};

use anyhow::{Context as _, Result};
use aya::maps::MapError;
use interceptor_policy::{Address, Enrollment, NodeState, PolicyFlags};

use crate::kernel::{
    node::{
        acceleration::PinnedAcceleration, bpffs::Bpffs, guard, layout::Layout, links, maps::Maps, traces::TraceMaps,
    },
    programs::build::Build,
    sys::{self, tree::remove_tree},
};

/// The pinned maps and programs of the node.
pub(crate) struct PinnedNode {
    pub(crate) layout: Layout,
    pub(crate) maps: Maps,
    inode: u64,
}

impl PinnedNode {
    /// Opens what is there, if anything is.
    ///
    /// Without the lock, a run that removes the last pod may move all of it away meanwhile.
    pub(crate) fn open(bpffs: &Bpffs) -> Result<Option<Self>> {
        bpffs.home().exists()?;
        let layout = bpffs.layout();
        loop {
            let Some(before) = inode_of(&layout)? else { return Ok(None) };
            match Maps::open(&layout) {
                Ok(maps) => return Ok(Some(Self { layout, maps, inode: before })),
                Err(error) if inode_of(&layout)? == Some(before) => return Err(error),
                Err(_moved_away) => {}
            }
        }
    }

    /// Whether `other` was opened when the same maps were there.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.inode == other.inode
    }

    /// The build of the programs that pods get from now on. Another than this one works, because the ABI is the same.
    /// `None` if nothing tells.
    pub(crate) fn build(&self) -> Result<Option<Build>> {
        Build::of(&self.layout.programs())
    }

    /// Removes the enrollments of pods whose network namespace is gone, and what a run left that was killed. Returns
    /// the cookies of these pods.
    pub(crate) fn collect_garbage(&mut self) -> Result<Vec<u64>> {
        let mut gone = Vec::new();
        for (cookie, _) in self.maps.pods()? {
            if links::namespace_is_gone(&self.layout, cookie)? {
                tracing::info!(cookie, "removing a pod whose network namespace is gone");
                self.end_pod(cookie)?;
                gone.push(cookie);
            }
        }
        self.remove_unused_links()?;
        self.finish_begun()?;
        self.retire_guards()?;
        self.retire_acceleration()?;
        TraceMaps::open(&self.layout)?.retire()?;
        Ok(gone)
    }

    /// Ends a pod's enrollment and removes all that belongs to it.
    pub(crate) fn remove_pod(&mut self, netns_cookie: u64) -> Result<()> {
        self.end_pod(netns_cookie)?;
        self.finish()?;
        self.retire_acceleration()
    }

    /// Ends a pod's enrollment, and leaves to [`Self::finish`] what programs may be looking at. The entry in the map of
    /// pods goes first: without it the programs do nothing.
    fn end_pod(&mut self, netns_cookie: u64) -> Result<()> {
        self.start()?;
        self.maps.remove_pod(netns_cookie)?;
        self.remove_unused_links()?;
        self.maps.remove_counters(netns_cookie)?;
        self.remove_listeners(netns_cookie)?;
        if let Some(mut acceleration) = PinnedAcceleration::open(&self.layout)? {
            self.publish_pod_addresses(&mut acceleration)?;
            acceleration.forget_handshakes_of(netns_cookie)?;
        }
        Ok(())
    }

    /// Notes that there may be list entries that no pod refers to.
    pub(crate) fn start(&mut self) -> Result<()> {
        let state = self.maps.node()?;
        self.maps.set_node(NodeState { unfinished: 1, ..state })
    }

    /// Does [`Self::finish`] if a run that was killed has left that.
    pub(crate) fn finish_begun(&mut self) -> Result<()> {
        if self.maps.node()?.unfinished == 0 { Ok(()) } else { self.finish() }
    }

    /// Removes the list entries that no pod refers to, once no program can be looking at them.
    pub(crate) fn finish(&mut self) -> Result<()> {
        sys::wait_for_programs().context("Failed to wait for running programs (by a map of maps)")?;
        let pods = self.maps.pods()?;
        let slots = self.maps.slots.keep(&pods.iter().map(|(cookie, _)| *cookie).collect())?;
        self.maps
            .sweep(|generation| pods.iter().any(|(_, enrollment)| enrollment.policy.generation == generation))?;
        slots.wait_until_seen(&self.maps.slots)?;
        let state = self.maps.node()?;
        self.maps.set_node(NodeState { unfinished: 0, ..state })
    }

    /// Publishes which accelerated pod has which address. An address of several pods is left out.
    pub(crate) fn publish_pod_addresses(&self, acceleration: &mut PinnedAcceleration) -> Result<()> {
        let accelerated = self
            .maps
            .pods()?
            .into_iter()
            .filter(|(_, pod)| pod.policy.has(PolicyFlags::ACCELERATE));
        let cookies: HashMap<u32, u64> = accelerated.map(|(cookie, pod)| (pod.policy.generation, cookie)).collect();
        let mut pods_of: HashMap<[u32; 4], Vec<u64>> = HashMap::new();
        for (generation, address) in self.maps.local_addresses()? {
            if let Some(cookie) = cookies.get(&generation)
                && is_reached_from_outside(address)
            {
                pods_of.entry(address.0).or_default().push(*cookie);
            }
        }
        let only_one = pods_of.into_iter().filter_map(|(address, pods)| match pods.as_slice() {
            [cookie] => Some((Address(address), *cookie)),
            _ => None,
        });
        acceleration.set_local_pods(&only_one.collect::<Vec<_>>())
    }

    /// Detaches the guard from pods that it was switched off for, and removes its links to interfaces that are gone.
    pub(crate) fn retire_guards(&self) -> Result<()> {
        for (cookie, Enrollment { policy, .. }) in self.maps.pods()? {
            guard::retire(&self.layout, cookie, policy.has(PolicyFlags::GUARD))?;
        }
        Ok(())
    }

    /// Detaches acceleration from cgroups whose pods it was switched off for, once none of their sockets needs it.
    /// Removes it from the node when it is attached to no cgroup.
    pub(crate) fn retire_acceleration(&self) -> Result<()> {
        let Some(acceleration) = PinnedAcceleration::open(&self.layout)? else {
            return Ok(());
        };
        let pods = self.maps.pods()?;
        let mut used = HashSet::new();
        for (cookie, Enrollment { policy, cgroup_id, .. }) in &pods {
            let attached = links::has_acceleration(&self.layout, *cgroup_id);
            if policy.has(PolicyFlags::ACCELERATE) || (attached && acceleration.has_sockets_of(*cookie)?) {
                used.insert(*cgroup_id);
            }
        }
        for (_, Enrollment { cgroup_id, .. }) in &pods {
            if !used.contains(cgroup_id) && links::has_acceleration(&self.layout, *cgroup_id) {
                links::detach_acceleration(&self.layout.cgroup(*cgroup_id))?;
            }
        }
        if used.is_empty() { acceleration.remove() } else { Ok(()) }
    }

    /// Removes the links of network namespaces and of cgroups that no pod is enrolled with.
    fn remove_unused_links(&self) -> Result<()> {
        let pods = self.maps.pods()?;
        let (cookies, cgroups): (HashSet<u64>, HashSet<u64>) =
            pods.into_iter().map(|(cookie, pod)| (cookie, pod.cgroup_id)).unzip();
        for (directory, used) in [(self.layout.pods(), cookies), (self.layout.cgroups(), cgroups)] {
            let context = || format!("Failed to list {}", directory.display());
            for entry in fs::read_dir(&directory).with_context(context)? {
                let path = entry.with_context(context)?.path();
                let number = path
                    .file_name()
                    .and_then(|name| name.to_str())
                    .and_then(|name| name.parse().ok());
                if !number.is_some_and(|number| used.contains(&number)) {
                    remove_tree(&path)?;
                }
            }
        }
        Ok(())
    }

    fn remove_listeners(&mut self, netns_cookie: u64) -> Result<()> {
        let keys: Result<Vec<_>, _> = self.maps.listeners.keys().collect();
        for key in keys.context("Failed to read the listening sockets")? {
            if key.0.netns_cookie == netns_cookie {
                match self.maps.listeners.remove(&key) {
                    // The socket may close meanwhile, and then the kernel removes the entry.
                    Ok(()) | Err(MapError::KeyNotFound) => {}
                    Err(error) => return Err(error).context("Failed to forget a listening socket"),
                }
            }
        }
        Ok(())
    }
}

/// Tells whether the directory is still the same one. `None` if there is none.
fn inode_of(layout: &Layout) -> Result<Option<u64>> {
    match fs::metadata(layout.root()) {
        Ok(metadata) => Ok(Some(metadata.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("Failed to look at {}", layout.root().display())),
    }
}

/// Whether other pods can reach an address. Addresses on `lo` and those of one link are in every pod.
fn is_reached_from_outside(address: Address) -> bool {
    let link_local = match std::net::IpAddr::from(address) {
        std::net::IpAddr::V4(v4) => v4.is_link_local(),
        std::net::IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !(link_local || address.is_loopback() || address.same(Address::PASSTHROUGH_V6))
}
