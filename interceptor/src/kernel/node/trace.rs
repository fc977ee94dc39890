// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One trace: it gets the verdicts of a pod, or of all pods, in a ring buffer of its own. The kernel ends it by itself
//! unless it is renewed, so a process that is killed leaves none behind.

use std::{
    os::fd::{AsFd, AsRawFd as _, BorrowedFd},
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, bail, ensure};
use aya::maps::{Map, MapData, RingBuf};
use aya_obj::generated::bpf_map_type::BPF_MAP_TYPE_RINGBUF;
use interceptor_policy::{MAX_TRACES, Reason, ReasonKind, TraceEvent, TracePlace, Traces};
use zerocopy::FromBytes as _;

use crate::{
    EnrollError,
    kernel::{
        node::{
            bpffs::Bpffs,
            lock::Lock,
            pinned::PinnedNode,
            traces::{TraceMaps, now},
        },
        sys,
    },
};

/// What a trace gets to see. The kernel leaves out the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceFilter {
    /// The pod with this cookie; `None` for all pods of the node, also those that are enrolled later.
    pub netns_cookie: Option<u64>,
    /// Reasons; none for all except those of acceleration, which are no verdicts.
    pub reasons: Vec<Reason>,
    /// The port of the source or of the destination.
    pub port: Option<u16>,
}

/// How a trace is kept up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceLimits {
    /// How many bytes of events may wait for the reader: a power of two, and a multiple of the size of a page.
    pub buffer: u32,
    /// After which time the kernel ends it, unless it was renewed.
    pub lifetime: Duration,
    /// How long to wait for other runs on this node.
    pub wait: Duration,
}

/// Whether a trace goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    Renewed,
    /// No pod is enrolled any more: the last one was unenrolled.
    NoPods,
    /// It was not renewed for so long that the kernel had ended it.
    Ended,
}

/// A trace that runs. It ends when this is dropped.
pub struct Trace {
    bpffs: Bpffs,
    maps: TraceMaps,
    ring: RingBuf<MapData>,
    limits: TraceLimits,
    place: usize,
    owner: u64,
    /// What was lost in this place before.
    lost_before: u64,
    ended: bool,
}

impl Trace {
    pub(crate) fn start(bpffs: &Bpffs, filter: &TraceFilter, limits: TraceLimits) -> Result<Self> {
        let ring = ring(limits.buffer)?;
        let lock = Lock::take(&bpffs.home(), limits.wait)?;
        let Some(node) = PinnedNode::open(bpffs)? else {
            bpffs.home().remove_if_empty()?;
            bail!("No pod of this node is enrolled");
        };
        let mut maps = TraceMaps::open(&node.layout)?;
        maps.retire()?;
        let mut traces = maps.read()?;
        let Some((place, entry)) = traces.places.iter_mut().enumerate().find(|(_, entry)| entry.owner == 0) else {
            bail!("{MAX_TRACES} traces run on this node already, which is the most; end one of them first");
        };
        let now = now()?;
        // No two traces begin at one nanosecond: they exclude each other by the lock.
        *entry = TracePlace { owner: now, until: until(now, limits.lifetime)?, ..wanted(filter) };
        let trace = Self {
            bpffs: bpffs.clone(),
            lost_before: maps.lost(place)?,
            maps,
            ring,
            limits,
            place,
            owner: now,
            ended: false,
        };
        trace.begin(&traces, lock)
    }

    fn begin(mut self, traces: &Traces, lock: Lock) -> Result<Self> {
        // If this fails, dropping the trace takes the lock.
        let begun = self
            .maps
            .set_ring(self.place, self.ring.as_raw_fd())
            .and_then(|()| self.maps.write(*traces));
        drop(lock);
        begun.map(|()| self)
    }

    /// Puts off the end of the trace, and follows another pod from now on if `netns_cookie` says so. Does not wait for
    /// other runs: it fails with [`EnrollError::Busy`] then.
    pub fn renew(&mut self, netns_cookie: Option<u64>) -> Result<Renewal, EnrollError> {
        let lock = Lock::take(&self.bpffs.home(), Duration::ZERO)?;
        let renewal = self.renew_locked(netns_cookie);
        drop(lock);
        Ok(renewal?)
    }

    fn renew_locked(&mut self, netns_cookie: Option<u64>) -> Result<Renewal> {
        let Some(node) = PinnedNode::open(&self.bpffs)? else {
            self.bpffs.home().remove_if_empty()?;
            return Ok(Renewal::NoPods);
        };
        // The node may have been set up anew meanwhile.
        self.maps = TraceMaps::open(&node.layout)?;
        let mut traces = self.maps.read()?;
        let now = now()?;
        match traces.places.get_mut(self.place) {
            Some(entry) if entry.owner == self.owner && now < entry.until => {
                entry.until = until(now, self.limits.lifetime)?;
                entry.netns_cookie = netns_cookie.unwrap_or_default();
            }
            _ => return Ok(Renewal::Ended),
        }
        self.maps.write(traces)?;
        Ok(Renewal::Renewed)
    }

    /// The next event, if one waits to be read. [`Self::as_fd`] is readable then. Events of one processor, and those of
    /// one connection, come in their order.
    pub fn next_event(&mut self) -> Result<Option<TraceEvent>, EnrollError> {
        let Some(item) = self.ring.next() else { return Ok(None) };
        let event = TraceEvent::read_from_bytes(&item)
            .map_err(|_size| anyhow::anyhow!("an event has {} bytes, which no version writes", item.len()))?;
        Ok(Some(event))
    }

    /// How many events it did not get: its ring buffer was full.
    pub fn lost(&self) -> Result<u64, EnrollError> {
        Ok(self.maps.lost(self.place)?.saturating_sub(self.lost_before))
    }

    /// Ends the trace. What waits can still be read.
    pub fn end(&mut self) -> Result<(), EnrollError> {
        if self.ended {
            return Ok(());
        }
        self.ended = true;
        let lock = Lock::take(&self.bpffs.home(), self.limits.wait)?;
        let cleared = self.clear();
        drop(lock);
        Ok(cleared?)
    }

    fn clear(&mut self) -> Result<()> {
        if PinnedNode::open(&self.bpffs)?.is_none() {
            return self.bpffs.home().remove_if_empty();
        }
        match self.maps.read()?.places.get(self.place) {
            Some(entry) if entry.owner == self.owner => self.maps.clear(self.place),
            _ => Ok(()), // another one has the place by now
        }
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::debug!("the kernel ends the trace later: {error:#}");
        }
    }
}

impl AsFd for Trace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }
}

/// What the wall clock said when an event happened.
pub fn wall_clock(event: &TraceEvent) -> Result<SystemTime, EnrollError> {
    let since = sys::time_since_start().context("Failed to read the clock")?;
    let ago = since.saturating_sub(Duration::from_nanos(event.time));
    let time = SystemTime::now().checked_sub(ago);
    Ok(time.context("The clock stands before the time at which the machine started")?)
}

/// Linux 5.8.
fn ring(bytes: u32) -> Result<RingBuf<MapData>> {
    ensure!(
        bytes.is_power_of_two(),
        "The size of a ring buffer is a power of two, and {bytes} is none"
    );
    let ring = aya_obj::Map::new_from_params(BPF_MAP_TYPE_RINGBUF as u32, 0, 0, bytes, 0);
    let ring = MapData::create(ring, "trace", None).context("Failed to create a ring buffer")?;
    Map::RingBuf(ring).try_into().context("Failed to open a ring buffer")
}

fn until(now: u64, lifetime: Duration) -> Result<u64> {
    now.checked_add(u64::try_from(lifetime.as_nanos())?)
        .context("The lifetime of the trace is too long")
}

/// The place of a trace with this filter, which has no owner.
fn wanted(filter: &TraceFilter) -> TracePlace {
    let TraceFilter { netns_cookie, reasons, port } = filter;
    let verdicts = Reason::ALL.iter().filter(|reason| reason.kind() != ReasonKind::Acceleration);
    let bits = |reason: &Reason| TracePlace::bit(*reason as u32);
    let reasons = if reasons.is_empty() {
        verdicts.map(bits).fold(0, |all, bit| all | bit)
    } else {
        reasons.iter().map(bits).fold(0, |all, bit| all | bit)
    };
    TracePlace {
        netns_cookie: netns_cookie.unwrap_or_default(),
        reasons,
        port: port.unwrap_or_default().into(),
        ..TracePlace::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_without_reasons_wants_all_verdicts() {
        let all = wanted(&TraceFilter::default());
        let has = |place: &TracePlace, reason: Reason| place.reasons & TracePlace::bit(reason as u32) != 0;
        assert!(has(&all, Reason::ProxyOwner) && has(&all, Reason::NoSlot));
        assert!(!has(&all, Reason::Accelerated));
        let one = wanted(&TraceFilter { reasons: vec![Reason::NoSlot], ..TraceFilter::default() });
        assert!(has(&one, Reason::NoSlot) && !has(&one, Reason::ProxyOwner));
    }

    #[test]
    fn a_ring_buffer_of_an_odd_size_is_refused() {
        let error = ring(5000).map(drop).unwrap_err();
        assert!(error.to_string().contains("power of two"), "{error:#}");
    }
}
