// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Asks [`decide`], the only place that knows the rules. Programs call this file, never [`decide`] itself.

use interceptor_policy::{Decision, Flow, Inbound, Outbound, Policy, Verdict, decide};

use crate::{pod::Pod, trace::Seen};

const COUNTED: u32 = 1;
const NOT_COUNTED: u32 = 0;

/// The verdict on a connection that the pod makes, counted and shown.
///
/// Never `None` in practice; the verifier needs the branch. Callers must treat `None` as "refuse".
#[inline(always)]
pub(crate) fn outbound(pod: Pod<'_>, flow: &Outbound) -> Option<Verdict> {
    let decision = decide_outbound(pod.netns_cookie, pod.policy, flow, COUNTED);
    Seen::dialed(flow).show(pod, decision);
    verdict(decision)
}

/// The same, not counted: the packet may be one of several of its connection.
#[inline(always)]
pub(crate) fn outbound_packet(pod: Pod<'_>, flow: &Outbound) -> Option<Verdict> {
    verdict(decide_outbound(pod.netns_cookie, pod.policy, flow, NOT_COUNTED))
}

#[inline(always)]
fn verdict(decision: u32) -> Option<Verdict> {
    Decision::ALL.get(decision as usize).copied().map(Verdict::from)
}

/// The verdict on a connection that arrives at the pod, not counted.
#[inline(always)]
pub(crate) fn inbound(pod: Pod<'_>, flow: Inbound) -> Verdict {
    decide(&Flow::Inbound(flow), pod.policy, &pod)
}

/// The outbound rules, as a function that the verifier checks once and by itself, for any pod and any flow. Its callers
/// only see that it returns a number
/// ([`btf_prepare_func_args`](https://github.com/torvalds/linux/blob/v5.19/kernel/bpf/btf.c)).
///
/// Inlined, the verifier would check the rules again for every path on which a caller finds its addresses.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn decide_outbound(netns_cookie: u64, policy: *const Policy, flow: *const Outbound, counted: u32) -> u32 {
    const NONE: u32 = u32::MAX;
    // SAFETY: null or the entry of a pod, see `Pod::enrolled`.
    let Some(policy) = (unsafe { policy.as_ref() }) else {
        return NONE; // fail closed; only the verifier believes that the pointer may be null
    };
    // SAFETY: null or a flow on the caller's stack.
    let Some(flow) = (unsafe { flow.as_ref() }) else {
        return NONE; // the same
    };
    let pod = Pod { netns_cookie, policy };
    let reason = decide(&Flow::Outbound(*flow), policy, &pod).reason;
    if counted == COUNTED {
        pod.count(reason);
    }
    reason as u32
}
