// SPDX-License-Identifier: Apache-2.0 OR MIT
use std::path::Path;

use anyhow::{Context as _, Result};
use aya::maps::{
    Array, HashMap, LpmTrie, Map, MapData, MapError, PerCpuHashMap, PerCpuValues, SkStorage, SockHash, lpm_trie::Key,
};
use interceptor_policy::{
    Address, AddressClass, AddressKey, Counters, Enrollment, ListenerKey, NodeState, NumberClass, NumberKey,
    ProxyListener, Reason,
};

use crate::kernel::sys::pod_type::Raw;
use interceptor_config::{AddressPrefix, CompiledPolicy, NumberPrefix, SourcePrefix};

/// The pinned maps. One process writes at a time, holding the lock.
pub(crate) struct Tables {
    pods: HashMap<MapData, u64, Raw<Enrollment>>,
    node: Array<MapData, Raw<NodeState>>,
    counters: PerCpuHashMap<MapData, u64, Raw<Counters>>,
    addresses: LpmTrie<MapData, Raw<AddressKey>, Raw<AddressClass>>,
    numbers: LpmTrie<MapData, Raw<NumberKey>, Raw<NumberClass>>,
    sources: LpmTrie<MapData, Raw<AddressKey>, Raw<Address>>,
    primaries: HashMap<MapData, Raw<AddressKey>, Raw<Address>>,
    pub(crate) listeners: SockHash<MapData, Raw<ListenerKey>>,
    pub(crate) proxy_sockets: SkStorage<MapData, Raw<ProxyListener>>,
}

impl Tables {
    /// Opens the maps pinned in `directory`.
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        Self::take(|name| {
            let path = directory.join(name);
            let data =
                MapData::from_pin(&path).with_context(|| format!("Failed to open the map {}", path.display()))?;
            Map::from_map_data(data).with_context(|| format!("Failed to make sense of the map {}", path.display()))
        })
    }

    /// Takes each map by its name.
    pub(crate) fn take(mut map: impl FnMut(&str) -> Result<Map>) -> Result<Self> {
        Ok(Self {
            pods: map("PODS")?.try_into()?,
            node: map("NODE")?.try_into()?,
            counters: map("COUNTERS")?.try_into()?,
            addresses: map("ADDRESSES")?.try_into()?,
            numbers: map("PORTS_AND_IDS")?.try_into()?,
            sources: map("SOURCE_ADDRS")?.try_into()?,
            primaries: map("PRIMARY_ADDRS")?.try_into()?,
            listeners: map("LISTENERS")?.try_into()?,
            proxy_sockets: map("PROXY_SOCKETS")?.try_into()?,
        })
    }

    pub(crate) fn node(&self) -> Result<NodeState> {
        Ok(self.node.get(&0, 0).context("Failed to read the node's state")?.0)
    }

    pub(crate) fn set_node(&mut self, state: NodeState) -> Result<()> {
        self.node.set(0, Raw(state), 0).context("Failed to write the node's state")
    }

    /// The pod's entry, if it is enrolled.
    pub(crate) fn pod(&self, cookie: u64) -> Result<Option<Enrollment>> {
        match self.pods.get(&cookie, 0) {
            Ok(Raw(enrollment)) => Ok(Some(enrollment)),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(error).context("Failed to read the table of pods"),
        }
    }

    /// All enrolled pods.
    pub(crate) fn pods(&self) -> Result<Vec<(u64, Enrollment)>> {
        let pods: Result<Vec<_>, _> = self
            .pods
            .iter()
            .map(|entry| entry.map(|(cookie, Raw(enrollment))| (cookie, enrollment)))
            .collect();
        pods.context("Failed to read the table of pods")
    }

    /// Puts the pod's interception in force, or replaces it, in one step.
    pub(crate) fn set_pod(&mut self, cookie: u64, enrollment: Enrollment) -> Result<()> {
        self.pods
            .insert(cookie, Raw(enrollment), 0)
            .context("Failed to write the table of pods")
    }

    /// Ends the pod's interception, in one step.
    pub(crate) fn remove_pod(&mut self, cookie: u64) -> Result<()> {
        absent_is_fine(self.pods.remove(&cookie)).context("Failed to write the table of pods")
    }

    /// Gives the pod counters, unless it has some.
    pub(crate) fn add_counters(&mut self, cookie: u64) -> Result<()> {
        const BPF_NOEXIST: u64 = 1;
        let cpus = aya::util::nr_cpus()
            .map_err(|(path, error)| anyhow::anyhow!("Failed to count the processors ({path}): {error}"))?;
        let zero = PerCpuValues::try_from(vec![Raw(Counters::default()); cpus]).context("Failed to make counters")?;
        match self.counters.insert(cookie, zero, BPF_NOEXIST) {
            Err(MapError::SyscallError(error)) if error.io_error.raw_os_error() == Some(nix::libc::EEXIST) => Ok(()),
            result => result.context("Failed to write the counters"),
        }
    }

    pub(crate) fn remove_counters(&mut self, cookie: u64) -> Result<()> {
        absent_is_fine(self.counters.remove(&cookie)).context("Failed to remove the counters")
    }

    /// The pod's counters, summed over all processors.
    pub(crate) fn counters(&self, cookie: u64) -> Result<Counters> {
        let mut sum = Counters::default();
        match self.counters.get(&cookie, 0) {
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

    /// Writes a policy's lists under a new generation.
    pub(crate) fn write_lists(&mut self, generation: u32, policy: &CompiledPolicy) -> Result<()> {
        for AddressPrefix { address, prefix_len, class } in &policy.addresses {
            let key = Key::new(AddressKey::PREFIX_BITS + prefix_len, Raw(AddressKey::new(generation, *address)));
            self.addresses
                .insert(&key, Raw(*class), 0)
                .with_context(|| format!("Failed to write the range {address}/{prefix_len}"))?;
        }
        for NumberPrefix { space, number, prefix_len, class } in &policy.numbers {
            let key = Key::new(
                NumberKey::PREFIX_BITS + prefix_len,
                Raw(NumberKey::new(generation, *space, *number)),
            );
            self.numbers
                .insert(&key, Raw(*class), 0)
                .with_context(|| format!("Failed to write the {space:?} {number}/{prefix_len}"))?;
        }
        for SourcePrefix { address, prefix_len, source } in &policy.sources {
            let key = Key::new(AddressKey::PREFIX_BITS + prefix_len, Raw(AddressKey::new(generation, *address)));
            self.sources
                .insert(&key, Raw(*source), 0)
                .with_context(|| format!("Failed to write the route {address}/{prefix_len}"))?;
        }
        for (secondary, primary) in &policy.primaries {
            let key = Raw(AddressKey::new(generation, *secondary));
            self.primaries
                .insert(key, Raw(*primary), 0)
                .with_context(|| format!("Failed to write the address {secondary}"))?;
        }
        Ok(())
    }

    /// Removes all list entries of generations that `keep` does not want.
    pub(crate) fn sweep(&mut self, keep: impl Fn(u32) -> bool) -> Result<()> {
        let stale = |generation: u32| !keep(generation);
        let keys: Vec<_> = self
            .addresses
            .keys()
            .filter(|key| key.as_ref().map_or(true, |key| stale(key.data().0.generation())))
            .collect();
        for key in keys {
            absent_is_fine(self.addresses.remove(&key.context("Failed to read the addresses")?))
                .context("Failed to remove an address")?;
        }
        let keys: Vec<_> = self
            .numbers
            .keys()
            .filter(|key| key.as_ref().map_or(true, |key| stale(key.data().0.generation())))
            .collect();
        for key in keys {
            absent_is_fine(self.numbers.remove(&key.context("Failed to read the numbers")?))
                .context("Failed to remove a number")?;
        }
        let keys: Vec<_> = self
            .sources
            .keys()
            .filter(|key| key.as_ref().map_or(true, |key| stale(key.data().0.generation())))
            .collect();
        for key in keys {
            absent_is_fine(self.sources.remove(&key.context("Failed to read the sources")?))
                .context("Failed to remove a source")?;
        }
        let keys: Vec<_> = self
            .primaries
            .keys()
            .filter(|key| key.as_ref().map_or(true, |key| stale(key.0.generation())))
            .collect();
        for key in keys {
            absent_is_fine(self.primaries.remove(&key.context("Failed to read the primaries")?))
                .context("Failed to remove a primary")?;
        }
        Ok(())
    }

    /// A policy's lists, as they stand.
    pub(crate) fn read_lists(&self, generation: u32) -> Result<CompiledPolicy> {
        let mut policy = CompiledPolicy {
            policy: interceptor_policy::Policy::default(),
            addresses: Vec::new(),
            numbers: Vec::new(),
            sources: Vec::new(),
            primaries: Vec::new(),
        };
        for entry in &self.addresses {
            let (key, Raw(class)) = entry.context("Failed to read the addresses")?;
            let Raw(of) = key.data();
            if of.generation() == generation {
                let prefix_len = key.prefix_len() - AddressKey::PREFIX_BITS;
                policy.addresses.push(AddressPrefix { address: of.address, prefix_len, class });
            }
        }
        for entry in &self.numbers {
            let (key, Raw(class)) = entry.context("Failed to read the numbers")?;
            let key_data = key.data().0;
            if key_data.generation() == generation
                && let Some(space) = key_data.space()
            {
                let prefix_len = key.prefix_len() - NumberKey::PREFIX_BITS;
                policy
                    .numbers
                    .push(NumberPrefix { space, number: key_data.number(), prefix_len, class });
            }
        }
        for entry in &self.sources {
            let (key, Raw(source)) = entry.context("Failed to read the sources")?;
            let Raw(of) = key.data();
            if of.generation() == generation {
                let prefix_len = key.prefix_len() - AddressKey::PREFIX_BITS;
                policy.sources.push(SourcePrefix { address: of.address, prefix_len, source });
            }
        }
        for entry in &self.primaries {
            let (Raw(of), Raw(primary)) = entry.context("Failed to read the primaries")?;
            if of.generation() == generation {
                policy.primaries.push((of.address, primary));
            }
        }
        Ok(policy)
    }

    /// The addresses that are pods' own, each by the generation of its pod's policy.
    pub(crate) fn local_addresses(&self) -> Result<Vec<(u32, Address)>> {
        let mut found = Vec::new();
        for entry in &self.addresses {
            let (key, Raw(class)) = entry.context("Failed to read the addresses")?;
            if key.prefix_len() == AddressKey::BITS && class.has(AddressClass::LOCAL) {
                let Raw(of) = key.data();
                found.push((of.generation(), of.address));
            }
        }
        Ok(found)
    }

    /// How often each reason was counted, those that never were left out.
    pub(crate) fn reasons(&self, cookie: u64) -> Result<Vec<(Reason, u64)>> {
        let Counters(counts) = self.counters(cookie)?;
        Ok(Reason::ALL
            .iter()
            .copied()
            .zip(counts)
            .filter(|(_, count)| *count > 0)
            .collect())
    }
}

pub(crate) fn absent_is_fine(result: Result<(), MapError>) -> Result<(), MapError> {
    match result {
        Err(MapError::KeyNotFound) => Ok(()),
        Err(MapError::SyscallError(error)) if error.io_error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
