// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Maps whose entries belong to a generation of some pod's policy. An entry is never changed: a new policy is written
//! under a new generation, and the old generation is swept later.

use anyhow::{Context as _, Result};
use aya::maps::{HashMap, LpmTrie, Map, MapData, MapError, lpm_trie::Key};
use interceptor_config::CompiledPolicy;

use crate::kernel::{
    node::entries::Entry,
    sys::{map_error::absent_is_fine, pod_type::Raw},
};

/// A map with generations.
pub(crate) trait Generational {
    /// Writes what the map holds of a policy, under `generation`.
    fn write(&mut self, generation: u32, policy: &CompiledPolicy) -> Result<()>;
    /// Removes the entries of all generations that `is_stale` names.
    fn sweep(&mut self, is_stale: &dyn Fn(u32) -> bool) -> Result<()>;
    /// Adds the entries of `generation` to a policy.
    fn read(&self, generation: u32, policy: &mut CompiledPolicy) -> Result<()>;
}

/// A list that is looked up by the longest prefix.
pub(crate) struct PrefixList<E: Entry>(LpmTrie<MapData, Raw<E::Key>, Raw<E::Value>>);

/// A list that is looked up by the whole key.
pub(crate) struct ExactList<E: Entry>(HashMap<MapData, Raw<E::Key>, Raw<E::Value>>);

impl<E: Entry> PrefixList<E> {
    /// All entries of all generations, each with its generation.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Result<(u32, E)>> {
        self.0.iter().filter_map(|entry| match entry {
            Ok((key, Raw(value))) => {
                let Raw(data) = key.data();
                E::read(key.prefix_len(), &data, value).map(|entry| Ok((E::generation(&data), entry)))
            }
            Err(error) => Some(Err(read_failed::<E>(error))),
        })
    }
}

impl<E: Entry> Generational for PrefixList<E> {
    fn write(&mut self, generation: u32, policy: &CompiledPolicy) -> Result<()> {
        for entry in E::list(policy) {
            let (bits, key) = entry.key(generation);
            let written = self.0.insert(&Key::new(bits, Raw(key)), Raw(entry.value()), 0);
            written.with_context(|| format!("Failed to write {}", E::WHAT))?;
        }
        Ok(())
    }

    fn sweep(&mut self, is_stale: &dyn Fn(u32) -> bool) -> Result<()> {
        let keys: Result<Vec<_>, _> = self.0.keys().collect();
        let keys = keys.map_err(read_failed::<E>)?;
        for key in keys.iter().filter(|key| is_stale(E::generation(&key.data().0))) {
            absent_is_fine(self.0.remove(key)).with_context(|| format!("Failed to remove {}", E::WHAT))?;
        }
        Ok(())
    }

    fn read(&self, generation: u32, policy: &mut CompiledPolicy) -> Result<()> {
        for entry in self.entries() {
            let (of, entry) = entry?;
            if of == generation {
                E::list_mut(policy).push(entry);
            }
        }
        Ok(())
    }
}

impl<E: Entry> Generational for ExactList<E> {
    fn write(&mut self, generation: u32, policy: &CompiledPolicy) -> Result<()> {
        for entry in E::list(policy) {
            let (_bits, key) = entry.key(generation);
            let written = self.0.insert(Raw(key), Raw(entry.value()), 0);
            written.with_context(|| format!("Failed to write {}", E::WHAT))?;
        }
        Ok(())
    }

    fn sweep(&mut self, is_stale: &dyn Fn(u32) -> bool) -> Result<()> {
        let keys: Result<Vec<_>, _> = self.0.keys().collect();
        let keys = keys.map_err(read_failed::<E>)?;
        for key in keys.iter().filter(|key| is_stale(E::generation(&key.0))) {
            absent_is_fine(self.0.remove(key)).with_context(|| format!("Failed to remove {}", E::WHAT))?;
        }
        Ok(())
    }

    fn read(&self, generation: u32, policy: &mut CompiledPolicy) -> Result<()> {
        for entry in &self.0 {
            let (Raw(key), Raw(value)) = entry.map_err(read_failed::<E>)?;
            if E::generation(&key) == generation
                && let Some(entry) = E::read(0, &key, value)
            {
                E::list_mut(policy).push(entry);
            }
        }
        Ok(())
    }
}

fn read_failed<E: Entry>(error: MapError) -> anyhow::Error {
    anyhow::Error::new(error).context(format!("Failed to read {}", E::WHAT))
}

impl<E: Entry> TryFrom<Map> for PrefixList<E> {
    type Error = MapError;

    fn try_from(map: Map) -> Result<Self, MapError> {
        Ok(Self(map.try_into()?))
    }
}

impl<E: Entry> TryFrom<Map> for ExactList<E> {
    type Error = MapError;

    fn try_from(map: Map) -> Result<Self, MapError> {
        Ok(Self(map.try_into()?))
    }
}
