// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Shows verdicts to those who trace a pod (`interceptor trace`). Programs whose pods nobody traces read one number
//! here. It decides nothing, and no verdict depends on it.

use aya_ebpf::helpers::generated::bpf_ktime_get_boot_ns;
use interceptor_policy::{Direction, Inbound, MAX_TRACES, Outbound, Owner, Reason, TraceEvent};

use crate::{
    credentials,
    ctx::field,
    maps::{TRACE_LOST, TRACE_RINGS, TRACES},
    pod::Pod,
};

/// What a program has seen, for [`count`](Self::count).
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) direction: Direction,
    pub(crate) flow: &'a Outbound,
    /// Zero where it is not known.
    pub(crate) source_port: u16,
}

impl<'a> Seen<'a> {
    /// What a process of the pod dials. `connect()` has not chosen a port yet.
    #[inline(always)]
    pub(crate) const fn dialed(flow: &'a Outbound) -> Self {
        Self { direction: Direction::Out, flow, source_port: 0 }
    }

    /// Counts what happened to it, and shows that to those who trace the pod.
    #[inline(always)]
    pub(crate) fn count(self, pod: Pod<'_>, reason: Reason) {
        pod.count(reason);
        self.show(pod, reason as u32);
    }

    /// Shows what was counted already. `reason` is the number of a [`Reason`].
    #[inline(always)]
    pub(crate) fn show(self, pod: Pod<'_>, reason: u32) {
        if somebody_traces() {
            let Self { direction, flow, source_port } = self;
            trace_event(pod.netns_cookie, flow, reason, direction as u32, source_port.into());
        }
    }
}

/// A connection that arrives, in the form in which it can be shown.
#[inline(always)]
pub(crate) const fn arrived(flow: Inbound) -> Outbound {
    let Inbound { protocol, source, destination, port, interface } = flow;
    Outbound {
        source,
        destination,
        owner: Owner::APPLICATION,
        mark: 0,
        interface,
        port,
        protocol,
    }
}

/// Whether any pod of the node is traced. It may be none any longer.
#[inline(always)]
fn somebody_traces() -> bool {
    let Some(traces) = TRACES.get_ptr(0) else {
        return false; // the array has this element; the verifier needs the branch
    };
    // Elements of an array live as long as any program. The loader may write this one at the same time.
    field!(traces, latest) != 0
}

/// Writes an event into the ring buffer of each trace that wants it. A function that the verifier checks once and by
/// itself, as [`decide_outbound`](crate::rules) is. It always returns zero: older verifiers want a number.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn trace_event(
    netns_cookie: u64,
    flow: *const Outbound,
    reason: u32,
    direction: u32,
    source_port: u32,
) -> u32 {
    // SAFETY: null or a flow on the caller's stack.
    let Some(flow) = (unsafe { flow.as_ref() }) else {
        return 0; // only the verifier believes that the pointer may be null
    };
    let Some(traces) = TRACES.get_ptr(0) else {
        return 0; // as in `somebody_traces`
    };
    // SAFETY: elements of an array live as long as any program. If the loader writes it at the same time, a trace that
    // begins or ends may get an event that it has no filter for; its reader has all filters as well.
    let places = unsafe { &(*traces).places };
    // SAFETY: the helper takes nothing.
    let now = unsafe { bpf_ktime_get_boot_ns() };
    let event = event(netns_cookie, flow, reason, direction, source_port, now);
    #[expect(
        clippy::needless_range_loop,
        reason = "the verifier follows a number, and not a pointer"
    )]
    for place in 0..MAX_TRACES {
        if places[place].wants(now, &event) {
            output(place, &event);
        }
    }
    0
}

#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the numbers of reasons, directions and ports are small"
)]
fn event(netns_cookie: u64, flow: &Outbound, reason: u32, direction: u32, source_port: u32, time: u64) -> TraceEvent {
    let mut event = TraceEvent {
        time,
        netns_cookie,
        source: flow.source,
        destination: flow.destination,
        source_port: source_port as u16,
        port: flow.port,
        reason: reason as u16,
        kind: direction as u16 | (flow.protocol as u16) << 8,
        uid: 0,
        gid: 0,
        pid: 0,
        padding: 0,
        command: [0; 2],
    };
    if has_process(direction) {
        (event.uid, event.gid) = credentials::of_current_task();
        (event.pid, event.command) = credentials::name_of_current_task();
    }
    event
}

/// [`Direction::has_process`], of its number.
#[inline(always)]
const fn has_process(direction: u32) -> bool {
    const OUT: u32 = Direction::Out as u32;
    const BIND: u32 = Direction::Bind as u32;
    const LISTEN: u32 = Direction::Listen as u32;
    direction == OUT || direction == BIND || direction == LISTEN
}

/// An event for which the ring buffer has no room is counted: its reader is told how many it did not get.
#[inline(always)]
fn output(place: usize, event: &TraceEvent) {
    #[expect(clippy::cast_possible_truncation, reason = "there are few places")]
    let Some(ring) = TRACE_RINGS.get(place as u32) else {
        return; // the trace begins or ends at this moment
    };
    if ring.output(event, 0).is_err()
        && let Some(lost) = TRACE_LOST.get_ptr_mut(0)
    {
        // SAFETY: the value belongs to this CPU. Another program may preempt this one. That can lose one count.
        let lost = unsafe { &mut (*lost).0 };
        if let Some(lost) = lost.get_mut(place) {
            *lost += 1;
        }
    }
}
