// SPDX-License-Identifier: Apache-2.0 OR MIT
use interceptor_policy::{Flow, Outbound, Policy, Reason, Verdict, decide};

use crate::pod::Pod;

/// The verdict on a connection that the pod makes, counted. None, which means that nothing may pass, is for the
/// verifier only.
#[inline(always)]
pub(crate) fn outbound(pod: Pod<'_>, flow: &Outbound) -> Option<Verdict> {
    let reason = decide_outbound(pod.netns_cookie, pod.policy, flow);
    Reason::ALL.get(reason as usize).copied().map(Verdict::from)
}

/// A function that the verifier goes through once and by itself, for any pod and any flow; its caller sees no more than
/// a number come back ([`btf_prepare_func_args`](https://github.com/torvalds/linux/blob/v5.19/kernel/bpf/btf.c)). As a
/// part of its caller, the rules would be followed again for each way in which the caller finds an address out.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn decide_outbound(netns_cookie: u64, policy: *const Policy, flow: *const Outbound) -> u32 {
    const NONE: u32 = u32::MAX;
    // SAFETY: null or the entry of a pod, see `Pod::enrolled`.
    let Some(policy) = (unsafe { policy.as_ref() }) else {
        return NONE; // the verifier thinks of null
    };
    // SAFETY: null or a flow on the caller's stack.
    let Some(flow) = (unsafe { flow.as_ref() }) else {
        return NONE; // likewise
    };
    let pod = Pod { netns_cookie, policy };
    let Verdict { reason, action: _ } = decide(&Flow::Outbound(*flow), policy, &pod);
    pod.count(reason);
    reason as u32
}
