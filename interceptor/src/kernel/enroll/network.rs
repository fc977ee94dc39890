// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which steps of a plan prepare a pod's network, and which of them have to be repeated because the pod's network has
//! lost what they made. It changes nothing.

use anyhow::Result;
use interceptor_config::CompiledPolicy;
use interceptor_policy::{Address, PolicyFlags};

use crate::kernel::{
    enroll::steps::Step,
    pod::{agent_routes, ipv6, netns::Netns, tproxy::MarkedRouting},
};

/// What a pod's network has to have under a policy.
pub(crate) fn preparations(policy: &CompiledPolicy) -> Vec<Step> {
    let scalars = &policy.policy;
    let mut steps = Vec::new();
    if scalars.has(PolicyFlags::IPV6) {
        steps.push(Step::PrepareIpv6);
    }
    if scalars.has(PolicyFlags::DNS) {
        // Without an address of its own, the pod sends nothing by IPv4.
        let ipv4 = !scalars.pod_address(Address::UNSPECIFIED_V4).is_unspecified();
        steps.push(Step::PrepareDns { ipv4, ipv6: scalars.has(PolicyFlags::IPV6) });
    }
    steps.extend(MarkedRouting::of(scalars).map(Step::PrepareTproxy));
    steps
}

/// Those of them whose work is undone, as by an interface that went down.
pub(crate) fn lost(netns: &Netns, policy: &CompiledPolicy) -> Result<Vec<Step>> {
    let mut lost = Vec::new();
    for step in preparations(policy) {
        let is_there = match &step {
            Step::PrepareIpv6 => ipv6::is_prepared(netns)?,
            Step::PrepareDns { ipv4, ipv6 } => agent_routes::is_prepared(netns, *ipv4, *ipv6)?,
            Step::PrepareTproxy(routing) => routing.is_prepared(netns)?,
            Step::LoadPrograms
            | Step::LoadAcceleration
            | Step::WriteLists { .. }
            | Step::Attach { .. }
            | Step::AdoptListeners { .. }
            | Step::PutInForce { .. }
            | Step::AdoptLateListeners
            | Step::RemoveOldLists => true, // none of the network
        };
        if !is_there {
            lost.push(step);
        }
    }
    Ok(lost)
}
