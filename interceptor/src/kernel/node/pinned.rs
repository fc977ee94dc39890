// SPDX-License-Identifier: Apache-2.0 OR MIT
use std::{collections::HashMap, fs, path::PathBuf};

use anyhow::{Context as _, Result};
use interceptor_policy::{Address, NodeState, PolicyFlags};

use crate::kernel::{
    node::acceleration::Acceleration,
    node::bpffs::{Bpffs, Lock, remove_tree},
    node::links,
    node::maps::Tables,
    programs::object,
    sys,
};

/// What all pods of the node share: maps and programs.
pub(crate) struct Node {
    pub(crate) directory: PathBuf,
    pub(crate) tables: Tables,
}

impl Node {
    /// Opens what is there, if anything is.
    pub(crate) fn open(bpffs: &Bpffs) -> Result<Option<Self>> {
        let directory = bpffs.version();
        match fs::metadata(&directory) {
            Ok(_) => Ok(Some(Self { tables: Tables::open(&directory.join("maps"))?, directory })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                Err(error).with_context(|| format!("Failed to look at {}; this needs root", directory.display()))
            }
        }
    }

    /// Loads maps and programs. They are put together aside and appear at their place in one step.
    pub(crate) fn load(bpffs: &Bpffs, _lock: &Lock) -> Result<Self> {
        let staging = bpffs.staging();
        remove_tree(&staging)?;
        let (maps, programs) = (staging.join("maps"), staging.join("programs"));
        for directory in [&maps, &programs, &staging.join("pods")] {
            fs::create_dir_all(directory).with_context(|| format!("Failed to create {}", directory.display()))?;
        }
        let loaded = object::load_node(&maps, &programs).and_then(|()| {
            let mut tables = Tables::open(&maps)?;
            tables.set_node(NodeState { object: object::fingerprint(), ..NodeState::default() })?;
            let directory = bpffs.version();
            fs::rename(&staging, &directory)
                .with_context(|| format!("Failed to put {} in place", directory.display()))?;
            Ok(Self { directory, tables })
        });
        if loaded.is_err() {
            // What failed is worth more than a failure to tidy up after it; the next run tidies up too.
            let _tidied = remove_tree(&bpffs.home());
        }
        loaded
    }

    /// Whether another build of the kernel programs is loaded. It works: the ABI is the same.
    pub(crate) fn is_of_another_build(&self) -> Result<bool> {
        Ok(self.tables.node()?.object != object::fingerprint())
    }

    /// The pins of one pod.
    pub(crate) fn pod_directory(&self, cookie: u64) -> PathBuf {
        self.directory.join("pods").join(cookie.to_string())
    }

    /// Removes what pods left behind whose network namespace is gone, and what a run left behind that was killed.
    pub(crate) fn collect_garbage(&mut self) -> Result<()> {
        for (cookie, _) in self.tables.pods()? {
            if links::namespace_is_gone(&self.pod_directory(cookie))? {
                tracing::info!(cookie, "removing a pod whose network namespace is gone");
                self.remove_pod(cookie)?;
            }
        }
        let pods = self.directory.join("pods");
        for entry in fs::read_dir(&pods).with_context(|| format!("Failed to list {}", pods.display()))? {
            let path = entry.with_context(|| format!("Failed to list {}", pods.display()))?.path();
            let cookie = path
                .file_name()
                .and_then(|name| name.to_str())
                .and_then(|name| name.parse().ok());
            let enrolled = match cookie {
                Some(cookie) => self.tables.pod(cookie)?.is_some(),
                None => false,
            };
            if !enrolled {
                remove_tree(&path)?;
            }
        }
        if self.tables.node()?.unfinished != 0 {
            self.finish()?;
        }
        self.retire_acceleration()
    }

    /// Ends a pod's interception and removes all that belongs to it. The entry goes first: without it the programs do
    /// nothing.
    pub(crate) fn remove_pod(&mut self, cookie: u64) -> Result<()> {
        self.start()?;
        self.tables.remove_pod(cookie)?;
        remove_tree(&self.pod_directory(cookie))?;
        self.tables.remove_counters(cookie)?;
        self.remove_listeners(cookie)?;
        if let Some(mut acceleration) = Acceleration::open(&self.directory)? {
            self.publish_pod_addresses(&mut acceleration)?;
            acceleration.forget_ends_of(cookie)?;
        }
        self.finish()?;
        self.retire_acceleration()
    }

    /// Notes that list entries may stand that no pod refers to.
    pub(crate) fn start(&mut self) -> Result<()> {
        let state = self.tables.node()?;
        self.tables.set_node(NodeState { unfinished: 1, ..state })
    }

    /// Removes the list entries that no pod refers to, once no program can be looking at them.
    pub(crate) fn finish(&mut self) -> Result<()> {
        sys::wait_for_programs().context("Failed to wait for running programs (membarrier)")?;
        let pods = self.tables.pods()?;
        self.tables
            .sweep(|generation| pods.iter().any(|(_, enrollment)| enrollment.policy.generation == generation))?;
        let state = self.tables.node()?;
        self.tables.set_node(NodeState { unfinished: 0, ..state })
    }

    /// Makes known which accelerated pod has which address. Addresses of several pods lead to none.
    pub(crate) fn publish_pod_addresses(&self, acceleration: &mut Acceleration) -> Result<()> {
        let accelerated = self
            .tables
            .pods()?
            .into_iter()
            .filter(|(_, pod)| pod.policy.has(PolicyFlags::ACCELERATE));
        let cookies: HashMap<u32, u64> = accelerated.map(|(cookie, pod)| (pod.policy.generation, cookie)).collect();
        let mut pods_of: HashMap<[u32; 4], Vec<u64>> = HashMap::new();
        for (generation, address) in self.tables.local_addresses()? {
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

    /// Detaches acceleration from pods that it was switched off for, once none of their sockets needs it, and removes
    /// it from the node when it is attached to none.
    pub(crate) fn retire_acceleration(&self) -> Result<()> {
        let Some(acceleration) = Acceleration::open(&self.directory)? else {
            return Ok(());
        };
        let mut in_use = false;
        for (cookie, enrollment) in self.tables.pods()? {
            let pod = self.pod_directory(cookie);
            if enrollment.policy.has(PolicyFlags::ACCELERATE) {
                in_use = true;
            } else if links::has_acceleration(&pod) {
                if acceleration.has_sockets_of(cookie)? {
                    in_use = true;
                } else {
                    links::detach_acceleration(&pod)?;
                }
            }
        }
        if in_use { Ok(()) } else { acceleration.remove() }
    }

    fn remove_listeners(&mut self, cookie: u64) -> Result<()> {
        let keys: Result<Vec<_>, _> = self.tables.listeners.keys().collect();
        for key in keys.context("Failed to read the listening sockets")? {
            if key.0.netns_cookie == cookie {
                match self.tables.listeners.remove(&key) {
                    // The socket may close meanwhile, which takes the entry out.
                    Ok(()) | Err(aya::maps::MapError::KeyNotFound) => {}
                    Err(error) => return Err(error).context("Failed to forget a listening socket"),
                }
            }
        }
        Ok(())
    }
}

/// Addresses on `lo` and those of one link are in every pod.
fn is_reached_from_outside(address: Address) -> bool {
    let link_local = match std::net::IpAddr::from(address) {
        std::net::IpAddr::V4(v4) => v4.is_link_local(),
        std::net::IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !(link_local || address.is_loopback() || address.same(Address::PASSTHROUGH_V6))
}
