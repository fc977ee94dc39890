// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What happens to maps when pods move from one version of the ABI to another: most are pinned a second time, and those
//! whose values changed are filled from the former ones.

use std::{collections::HashSet, path::Path};

use anyhow::{Context as _, Result, ensure};
use interceptor_policy::maps::{self, MapName};

use crate::kernel::{
    node::{
        layout::Layout,
        other_version::{ChangedMap, OtherVersion},
    },
    programs::object,
    sys::{self, raw_map::RawMap},
};

/// Pins the maps of a list a second time, but those that changed. Fails if one is not as this build defines it.
pub(crate) fn share(list: &[MapName], other: &OtherVersion, from: &Path, to: &Path) -> Result<()> {
    let is_shared = |name: &&MapName| !other.changed.iter().any(|changed| changed.name == **name);
    for name in list.iter().filter(is_shared) {
        let (from, to) = (from.join(name.as_str()), to.join(name.as_str()));
        ensure!(
            object::defines(*name, RawMap::open(&from)?.info())?,
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

/// Ends the enrollments of an earlier version, unless both have the same map of pods. No link has its programs, but
/// sockets in the table of accelerated connections may: without the entry, they send by TCP.
pub(crate) fn retire_pods(earlier: &Layout, layout: &Layout) -> Result<()> {
    let pin = |layout: &Layout| layout.maps().join(maps::PODS.as_str());
    let (retired, in_force) = (RawMap::open(&pin(earlier))?, RawMap::open(&pin(layout))?);
    if retired.info().id() == in_force.info().id() {
        return Ok(());
    }
    let context = "Failed to end the enrollments of an earlier version";
    for key in retired.keys().context(context)? {
        retired.remove(&key).context(context)?;
    }
    Ok(())
}
