// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The maps that all pods share, as the loader sees them. One process writes at a time, and holds the lock.
//!
//! A map that holds lists of a policy needs one row in [`Maps::take`], one in [`Maps::lists`] and one in
//! [`Maps::lists_mut`].

use anyhow::{Context as _, Result};
use aya::maps::{Array, HashMap, Map, MapData, MapError, PerCpuHashMap, PerCpuValues, SkStorage, SockHash};
use interceptor_config::{AddressPrefix, CompiledPolicy, NumberPrefix, SourcePrefix};
use interceptor_policy::{
    Address, AddressClass, Counters, Enrollment, ListenerKey, NodeState, Owner, ProxyListener, Reason,
    maps::{self, MapName},
};

use crate::kernel::{
    node::{
        generations::{ExactList, Generational, PrefixList},
        layout::Layout,
        slot_tables::SlotTables,
    },
    sys::{
        map_error::{absent_is_fine, is_existing},
        pod_type::Raw,
    },
};

const BPF_NOEXIST: u64 = 1;

/// The length of an address in a trie, in bits: IPv4 in its mapped form.
const HOST: u32 = 128;

/// The maps that the loader reads or writes.
pub(crate) struct Maps {
    pods: HashMap<MapData, u64, Raw<Enrollment>>,
    node: Array<MapData, Raw<NodeState>>,
    counters: PerCpuHashMap<MapData, u64, Raw<Counters>>,
    addresses: PrefixList<AddressPrefix>,
    ports_and_ids: PrefixList<NumberPrefix>,
    source_addrs: PrefixList<SourcePrefix>,
    primary_addrs: ExactList<(Address, Address)>,
    pub(crate) slots: SlotTables,
    pub(crate) listeners: SockHash<MapData, Raw<ListenerKey>>,
    pub(crate) owners: SkStorage<MapData, Raw<Owner>>,
    pub(crate) proxy_sockets: SkStorage<MapData, Raw<ProxyListener>>,
}

impl Maps {
    /// Opens the pinned maps.
    pub(crate) fn open(layout: &Layout) -> Result<Self> {
        Self::take(|name| {
            let path = layout.maps().join(name.as_str());
            let data = MapData::from_pin(&path);
            let data = data.with_context(|| format!("Failed to open the map {}", path.display()))?;
            Map::from_map_data(data).with_context(|| format!("{} is a map of a kind that is not known", path.display()))
        })
    }

    /// Takes each map by its name.
    pub(crate) fn take(mut map: impl FnMut(MapName) -> Result<Map>) -> Result<Self> {
        Ok(Self {
            pods: map(maps::PODS)?.try_into()?,
            node: map(maps::NODE)?.try_into()?,
            counters: map(maps::COUNTERS)?.try_into()?,
            addresses: map(maps::ADDRESSES)?.try_into()?,
            ports_and_ids: map(maps::PORTS_AND_IDS)?.try_into()?,
            source_addrs: map(maps::SOURCE_ADDRS)?.try_into()?,
            primary_addrs: map(maps::PRIMARY_ADDRS)?.try_into()?,
            slots: SlotTables::of(map(maps::SLOTS)?)?,
            listeners: map(maps::LISTENERS)?.try_into()?,
            owners: map(maps::OWNERS)?.try_into()?,
            proxy_sockets: map(maps::PROXY_SOCKETS)?.try_into()?,
        })
    }

    /// What the loader noted about the node.
    pub(crate) fn node(&self) -> Result<NodeState> {
        Ok(self.node.get(&0, 0).context("Failed to read the node's state")?.0)
    }

    pub(crate) fn set_node(&mut self, state: NodeState) -> Result<()> {
        self.node.set(0, Raw(state), 0).context("Failed to write the node's state")
    }

    /// The pod's entry, if it is enrolled.
    pub(crate) fn pod(&self, netns_cookie: u64) -> Result<Option<Enrollment>> {
        match self.pods.get(&netns_cookie, 0) {
            Ok(Raw(enrollment)) => Ok(Some(enrollment)),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(error).context("Failed to read the table of pods"),
        }
    }

    /// All enrolled pods, by the cookies of their network namespaces.
    pub(crate) fn pods(&self) -> Result<Vec<(u64, Enrollment)>> {
        let pods = self
            .pods
            .iter()
            .map(|entry| entry.map(|(cookie, Raw(enrollment))| (cookie, enrollment)));
        pods.collect::<Result<Vec<_>, _>>().context("Failed to read the table of pods")
    }

    /// Enrolls the pod, or switches it to another policy, in one step.
    pub(crate) fn set_pod(&mut self, netns_cookie: u64, enrollment: Enrollment) -> Result<()> {
        let written = self.pods.insert(netns_cookie, Raw(enrollment), 0);
        written.context("Failed to write the table of pods")
    }

    /// Ends the pod's enrollment, in one step.
    pub(crate) fn remove_pod(&mut self, netns_cookie: u64) -> Result<()> {
        absent_is_fine(self.pods.remove(&netns_cookie)).context("Failed to write the table of pods")
    }

    /// Gives the pod counters, unless it has some.
    pub(crate) fn add_counters(&mut self, netns_cookie: u64) -> Result<()> {
        let cpus = aya::util::nr_cpus();
        let cpus = cpus.map_err(|(path, error)| anyhow::anyhow!("Failed to count the processors ({path}): {error}"))?;
        let zero = PerCpuValues::try_from(vec![Raw(Counters::default()); cpus]).context("Failed to make counters")?;
        match self.counters.insert(netns_cookie, zero, BPF_NOEXIST) {
            Err(error) if is_existing(&error) => Ok(()),
            result => result.context("Failed to write the counters"),
        }
    }

    pub(crate) fn remove_counters(&mut self, netns_cookie: u64) -> Result<()> {
        absent_is_fine(self.counters.remove(&netns_cookie)).context("Failed to remove the counters")
    }

    /// The pod's counters, summed over all processors.
    pub(crate) fn counters(&self, netns_cookie: u64) -> Result<Counters> {
        let mut sum = Counters::default();
        match self.counters.get(&netns_cookie, 0) {
            Ok(values) => {
                for Raw(Counters(counts)) in values.iter() {
                    for (total, count) in sum.0.iter_mut().zip(counts) {
                        *total += count;
                    }
                }
                Ok(sum)
            }
            Err(MapError::KeyNotFound) => Ok(sum),
            Err(error) => Err(error).context("Failed to read the counters"),
        }
    }

    /// How often each reason was counted. Reasons that never were are left out.
    pub(crate) fn reasons(&self, netns_cookie: u64) -> Result<Vec<(Reason, u64)>> {
        let Counters(counts) = self.counters(netns_cookie)?;
        Ok(Reason::ALL
            .iter()
            .copied()
            .zip(counts)
            .filter(|(_, count)| *count > 0)
            .collect())
    }

    /// Writes a policy's lists under a new generation.
    pub(crate) fn write_lists(&mut self, generation: u32, policy: &CompiledPolicy) -> Result<()> {
        self.lists_mut().into_iter().try_for_each(|list| list.write(generation, policy))
    }

    /// Removes the list entries of all generations that `keep` does not want.
    pub(crate) fn sweep(&mut self, keep: impl Fn(u32) -> bool) -> Result<()> {
        self.lists_mut()
            .into_iter()
            .try_for_each(|list| list.sweep(&|generation| !keep(generation)))
    }

    /// The lists of one generation. The rest of the policy has its defaults.
    pub(crate) fn read_lists(&self, generation: u32) -> Result<CompiledPolicy> {
        let mut policy = CompiledPolicy::default();
        self.lists()
            .into_iter()
            .try_for_each(|list| list.read(generation, &mut policy))?;
        Ok(policy)
    }

    /// The pods' own addresses, each with the generation of its pod's policy.
    pub(crate) fn local_addresses(&self) -> Result<Vec<(u32, Address)>> {
        let mut found = Vec::new();
        for entry in self.addresses.entries() {
            let (generation, AddressPrefix { address, prefix_len, class }) = entry?;
            if prefix_len == HOST && class.has(AddressClass::LOCAL) {
                found.push((generation, address));
            }
        }
        Ok(found)
    }

    fn lists(&self) -> [&dyn Generational; 4] {
        [&self.addresses, &self.ports_and_ids, &self.source_addrs, &self.primary_addrs]
    }

    fn lists_mut(&mut self) -> [&mut dyn Generational; 4] {
        [&mut self.addresses, &mut self.ports_and_ids, &mut self.source_addrs, &mut self.primary_addrs]
    }
}
