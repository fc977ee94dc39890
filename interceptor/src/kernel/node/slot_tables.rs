// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The pods' tables of slots. Each pod has its own, which the memory cgroup of whoever enrolls it pays for.
//!
//! When the map of the tables has changed, programs see the change at once. The system call returns later: the kernel
//! first waits for all programs that are running (`maybe_wait_bpf_programs` in
//! [`syscall.c`](https://github.com/torvalds/linux/blob/v6.12/kernel/bpf/syscall.c)), for 10 ms and more. Nobody here
//! needs that, so each change is made by a thread of its own, which is left to the kernel once the change is seen.

use std::{
    collections::HashSet,
    os::fd::{AsFd as _, OwnedFd},
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, Result, bail};
use aya::maps::{HashMap, HashOfMaps, Map, MapData, MapError, lpm_trie::LpmTrie};
use interceptor_policy::{SlotKey, SlotValue};

use crate::kernel::sys::{
    map_error::{absent_is_fine, is_existing},
    pod_type::Raw,
};

const BPF_F_NO_PREALLOC: u32 = 1;
const BPF_NOEXIST: u64 = 1;

/// A table. Only programs read and write what is in it.
type SlotTable = LpmTrie<MapData, Raw<SlotKey>, Raw<SlotValue>>;

/// The map of the tables, by the cookies of the pods' network namespaces.
pub(crate) struct SlotTables {
    map: OwnedFd,
    /// The same map. Whoever reads it gets the tables' ids.
    ids: HashMap<MapData, u64, u32>,
}

impl SlotTables {
    pub(crate) fn of(map: Map) -> Result<Self> {
        let Map::HashOfMaps(data) = map else {
            bail!("The map of the tables of slots is of another kind");
        };
        let map = data
            .fd()
            .as_fd()
            .try_clone_to_owned()
            .context("Failed to duplicate a descriptor")?;
        Ok(Self { map, ids: Map::HashMap(data).try_into()? })
    }

    /// Begins to give the pod a table, unless it has one.
    pub(crate) fn add(&self, netns_cookie: u64) -> Result<Changes> {
        if self.has(netns_cookie)? {
            return Ok(Changes::default());
        }
        let table = create()?;
        let change = self.change(netns_cookie, true, move |tables| {
            match tables.insert(netns_cookie, &table, BPF_NOEXIST) {
                Err(error) if is_existing(&error) => Ok(()),
                result => result.context("Failed to write the table of slots"),
            }
        })?;
        Ok(Changes(vec![change]))
    }

    /// Begins to remove the tables of all pods but these.
    pub(crate) fn keep(&self, pods: &HashSet<u64>) -> Result<Changes> {
        let mut changes = Changes::default();
        for netns_cookie in self.ids.keys() {
            let netns_cookie = netns_cookie.context("Failed to read the tables of slots")?;
            if !pods.contains(&netns_cookie) {
                changes.0.push(self.change(netns_cookie, false, move |tables| {
                    absent_is_fine(tables.remove(&netns_cookie)).context("Failed to remove a table of slots")
                })?);
            }
        }
        Ok(changes)
    }

    fn has(&self, netns_cookie: u64) -> Result<bool> {
        match self.ids.get(&netns_cookie, 0) {
            Ok(_id) => Ok(true),
            Err(MapError::KeyNotFound) => Ok(false),
            Err(error) => Err(error).context("Failed to read the tables of slots"),
        }
    }

    fn change(
        &self,
        netns_cookie: u64,
        adds: bool,
        call: impl FnOnce(&mut HashOfMaps<MapData, u64, SlotTable>) -> Result<()> + Send + 'static,
    ) -> Result<Change> {
        let map = self.map.try_clone().context("Failed to duplicate a descriptor")?;
        let mut tables = Map::HashOfMaps(MapData::from_fd(map)?).try_into()?;
        let caller = thread::Builder::new().spawn(move || call(&mut tables));
        Ok(Change { netns_cookie, adds, caller: Some(caller.context("Failed to start a thread")?) })
    }
}

/// An empty table. Linux 4.11.
///
/// Nothing is written to it: with a table's first entry, the kernel sets memory aside for some fifty more
/// ([`memalloc.c`](https://github.com/torvalds/linux/blob/v6.18/kernel/bpf/memalloc.c)), which a pod that never
/// connects need not pay.
fn create() -> Result<SlotTable> {
    LpmTrie::create(SlotKey::MAX_ENTRIES, BPF_F_NO_PREALLOC).context("Failed to create a table of slots")
}

/// Changes that have begun. If this is dropped, they are over.
#[derive(Default)]
#[must_use]
pub(crate) struct Changes(Vec<Change>);

impl Changes {
    /// Returns when programs see them all.
    pub(crate) fn wait_until_seen(self, tables: &SlotTables) -> Result<()> {
        self.0.into_iter().try_for_each(|change| change.wait_until_seen(tables))
    }
}

struct Change {
    netns_cookie: u64,
    /// Otherwise it removes.
    adds: bool,
    caller: Option<JoinHandle<Result<()>>>,
}

impl Change {
    fn wait_until_seen(mut self, tables: &SlotTables) -> Result<()> {
        while tables.has(self.netns_cookie)? != self.adds {
            match self.caller.take() {
                Some(caller) if caller.is_finished() => result(caller)?,
                Some(caller) => self.caller = Some(caller),
                None => bail!("The tables of slots were changed by another run"),
            }
            thread::yield_now();
        }
        // If the thread has not ended, the change is made, and nothing can fail any more.
        self.caller.take().filter(JoinHandle::is_finished).map_or(Ok(()), result)
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        // Whoever drops it goes on after a failure, and that is reported.
        self.caller.take().map(result).transpose().map(drop).unwrap_or_default();
    }
}

/// What the thread has to say.
fn result(caller: JoinHandle<Result<()>>) -> Result<()> {
    caller.join().unwrap_or_else(|_panic| bail!("A thread ended by a panic"))
}
