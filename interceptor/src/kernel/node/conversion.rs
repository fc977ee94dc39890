// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What happens to maps when pods move from one version of the ABI to another: most are pinned a second time, and those
//! whose values changed are filled from the former ones. Tables of slots have a file of their own,
//! [`changed_tables`].

use std::{collections::HashSet, path::Path};

use anyhow::{Context as _, Result, ensure};
use interceptor_policy::maps::{self, MapName};

use crate::kernel::{
    node::{
        changed_tables,
        layout::Layout,
        other_version::{ChangedMap, OtherVersion},
    },
    programs::object,
    sys::{self, raw_map::RawMap},
};

/// Pins the maps of a list a second time, but those that changed, and the tables of slots under the name by which this
/// version reads those of the other one. Fails if one is not as this build defines it.
pub(crate) fn share(list: &[MapName], other: &OtherVersion, from: &Path, to: &Path) -> Result<()> {
    for name in list {
        let read_as = match &other.tables {
            Some(tables) if *name == maps::SLOTS => tables.read_as,
            _ if other.changed.iter().any(|changed| changed.name == *name) => continue,
            _ => *name,
        };
        let (from, to) = (from.join(name.as_str()), to.join(read_as.as_str()));
        ensure!(
            object::defines(read_as, RawMap::open(&from)?.info())?,
            "The map {name} of ABI version {} has another layout than in this build, which knows of no change",
            other.number
        );
        let map = sys::bpf_obj_get(&from).with_context(|| format!("Failed to open {}", from.display()))?;
        sys::bpf_obj_pin(&map, &to).with_context(|| format!("Failed to pin {}", to.display()))?;
    }
    Ok(())
}

/// Fills the maps that changed. `to_other` tells the direction.
pub(crate) fn convert(other: &OtherVersion, to_other: bool, from: &Layout, to: &Layout) -> Result<()> {
    if let Some(tables) = &other.tables {
        changed_tables::prepare(tables, to_other, from, to)?;
    }
    for ChangedMap { name, from_other, to_other: back } in other.changed {
        let convert = if to_other { back } else { from_other };
        let [from, to] = [from, to].map(|layout| layout.maps().join(name.as_str()));
        let (from, to) = (RawMap::open(&from)?, RawMap::open(&to)?);
        let context = || format!("Failed to convert the map {name}");
        let keys: HashSet<Vec<u8>> = from.keys().with_context(context)?.into_iter().collect();
        for key in to.keys().with_context(context)? {
            if !keys.contains(&key) {
                to.remove(&key).with_context(context)?;
            }
        }
        for key in &keys {
            if let Some(values) = from.get(key).with_context(context)? {
                let values: Vec<Vec<u8>> = values.iter().map(|value| convert(value)).collect();
                to.set(key, &values).with_context(context)?;
            }
        }
    }
    Ok(())
}

/// Ends the enrollments of an earlier version, unless both have the same map of pods, and removes its tables of slots,
/// unless both have the same. No link has its programs, but sockets in the table of accelerated connections may:
/// without the entry, they send by TCP.
pub(crate) fn retire_pods(earlier: &Layout, layout: &Layout) -> Result<()> {
    if !is_shared(maps::SLOTS, earlier, layout)? {
        changed_tables::retire(earlier)?;
    }
    if is_shared(maps::PODS, earlier, layout)? {
        return Ok(());
    }
    let retired = RawMap::open(&earlier.maps().join(maps::PODS.as_str()))?;
    let context = "Failed to end the enrollments of an earlier version";
    for key in retired.keys().context(context)? {
        retired.remove(&key).context(context)?;
    }
    Ok(())
}

/// Whether both have the same map.
pub(crate) fn is_shared(name: MapName, earlier: &Layout, layout: &Layout) -> Result<bool> {
    let id = |layout: &Layout| anyhow::Ok(RawMap::open(&layout.maps().join(name.as_str()))?.info().id());
    Ok(id(earlier)? == id(layout)?)
}
