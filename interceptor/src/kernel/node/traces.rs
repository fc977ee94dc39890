// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The maps of `interceptor trace`, which all traces of the node share. This file knows no trace of its own.

use anyhow::{Context as _, Result};
use aya::maps::{Array, HashMap, Map, MapData, PerCpuArray};
use interceptor_policy::{
    LostEvents, TracePlace, Traces,
    maps::{self, MapName},
};

use crate::kernel::{
    node::layout::Layout,
    sys::{self, map_error::absent_is_fine, pod_type::Raw},
};

/// The pinned maps of all traces. Whoever writes holds the lock.
pub(crate) struct TraceMaps {
    state: Array<MapData, Raw<Traces>>,
    /// An array of maps, seen as a hash: only so aya removes an element. A value is a descriptor when it is written.
    rings: HashMap<MapData, u32, u32>,
    lost: PerCpuArray<MapData, Raw<LostEvents>>,
}

impl TraceMaps {
    /// Opens the pinned maps.
    pub(crate) fn open(layout: &Layout) -> Result<Self> {
        let open = |name: MapName| {
            let path = layout.maps().join(name.as_str());
            MapData::from_pin(&path).with_context(|| format!("Failed to open the map {}", path.display()))
        };
        Ok(Self {
            state: Map::Array(open(maps::TRACES)?).try_into()?,
            rings: Map::HashMap(open(maps::TRACE_RINGS)?).try_into()?,
            lost: Map::PerCpuArray(open(maps::TRACE_LOST)?).try_into()?,
        })
    }

    pub(crate) fn read(&self) -> Result<Traces> {
        Ok(self.state.get(&0, 0).context("Failed to read the traces")?.0)
    }

    /// Writes what programs look at. They see that there is no trace at all by one number.
    pub(crate) fn write(&mut self, mut traces: Traces) -> Result<()> {
        traces.latest = traces.places.iter().map(|place| place.until).max().unwrap_or_default();
        self.state.set(0, Raw(traces), 0).context("Failed to write the traces")
    }

    /// Gives a place its ring buffer. Programs find it from now on.
    pub(crate) fn set_ring(&mut self, place: usize, ring: i32) -> Result<()> {
        let (place, ring) = (u32::try_from(place)?, u32::try_from(ring)?);
        self.rings
            .insert(place, ring, 0)
            .context("Failed to write the ring buffer of a trace")
    }

    /// Ends what has the place: without a ring buffer, which goes, and without a place.
    pub(crate) fn clear(&mut self, place: usize) -> Result<()> {
        let mut traces = self.read()?;
        if let Some(entry) = traces.places.get_mut(place) {
            *entry = TracePlace::default();
        }
        self.write(traces)?;
        absent_is_fine(self.rings.remove(&u32::try_from(place)?)).context("Failed to remove the ring buffer of a trace")
    }

    /// How many events the traces in a place could not be given, all of them together.
    pub(crate) fn lost(&self, place: usize) -> Result<u64> {
        let values = self.lost.get(&0, 0).context("Failed to read how many events were lost")?;
        Ok(values.iter().filter_map(|Raw(LostEvents(lost))| lost.get(place)).sum())
    }

    /// Removes what traces left that were killed, once they have ended by themselves.
    pub(crate) fn retire(&mut self) -> Result<()> {
        let now = now()?;
        for (place, entry) in self.read()?.places.iter().enumerate() {
            if entry.owner != 0 && entry.until <= now {
                self.clear(place)?;
            }
        }
        Ok(())
    }
}

/// Nanoseconds since the machine started.
pub(crate) fn now() -> Result<u64> {
    let now = sys::time_since_start().context("Failed to read the clock")?;
    Ok(u64::try_from(now.as_nanos())?)
}
