// SPDX-License-Identifier: Apache-2.0 OR MIT
//! That the kernel counts the reason which `interceptor explain` would give: the same function, on the same policy.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, SocketAddr},
    path::Path,
};

use interceptor::{Netns, Node};
use interceptor_config::CompiledPolicy;
use interceptor_policy::{Address, Flow as Decided, Inbound, Outbound, Owner, PolicyFlags, Protocol, Reason, decide};

use super::seen::Seen;
use crate::{flow::Flow, messages::How, scratch::Place};

/// The policy that is in force in a pod, and its counters.
pub(super) struct Reasons {
    node: Node,
    netns: Netns,
    policy: CompiledPolicy,
    /// By name.
    interfaces: HashMap<String, u32>,
}

type Counted = BTreeMap<&'static str, u64>;

impl Reasons {
    pub(super) fn open(bpffs: &Path, place: &Place) -> anyhow::Result<Self> {
        let (node, netns) = (Node::open(bpffs)?, Netns::open(&place.netns())?);
        let policy = node.policy(&netns)?;
        let interfaces = netns
            .facts()?
            .interfaces
            .into_iter()
            .map(|interface| (interface.name, interface.index))
            .collect();
        Ok(Self { node, netns, policy, interfaces })
    }

    pub(super) fn counted(&self) -> anyhow::Result<Counted> {
        let counters = self.node.counters(&self.netns)?;
        Ok(counters.into_iter().map(|(reason, count)| (reason.label(), count)).collect())
    }

    /// What is wrong with the counters, in words.
    pub(super) fn compare(&self, flow: &Flow, before: &Counted, after: &Counted, seen: &Seen) -> Option<String> {
        if seen
            .error
            .as_deref()
            .is_some_and(|error| error.starts_with("bind:") || error.starts_with("socket:"))
        {
            return None; // it never came to a decision
        }
        let moved: Vec<&str> = after
            .iter()
            .filter(|(reason, count)| before.get(*reason) != Some(count))
            .map(|(reason, _)| *reason)
            .collect();
        // Where a question cannot be sent, the questions after it are not asked.
        let cut_short = seen.error.as_deref().is_some_and(|error| error.starts_with("send:"));
        let missing = flow
            .destinations()
            .take(if cut_short { 1 } else { usize::MAX })
            .filter_map(|to| self.expected(flow, to))
            .find(|expected| !moved.contains(&expected.label()))?;
        Some(format!("the reason is {}; the kernel counted {moved:?}", missing.label()))
    }

    /// None where no program looks at it: datagrams are only looked at when they are sent, and by `sendto()` only
    /// where DNS is captured.
    fn expected(&self, flow: &Flow, to: SocketAddr) -> Option<Reason> {
        let Self { policy, interfaces, .. } = self;
        let protocol = if flow.how.is_udp() { Protocol::Udp } else { Protocol::Tcp };
        let (to, port) = (Address::from(to.ip()), to.port());
        if flow.inbound {
            return (!flow.how.is_udp()).then(|| {
                let source = neighbor(flow.to.ip()).into();
                decide(
                    &Decided::Inbound(Inbound { protocol, source, destination: to, port, interface: 0 }),
                    &policy.policy,
                    policy,
                )
                .reason
            });
        }
        if flow.how == How::Sendto && !policy.policy.has(PolicyFlags::DNS) {
            return None;
        }
        let maker = flow.maker.as_ref().unwrap_or(&flow.user);
        let owner = Owner::classify(maker.uid, maker.gid, &policy.policy, policy);
        let source = flow.bind.map_or(Address::UNSPECIFIED_V4, Address::from);
        let destination = to.as_reached_from(source);
        let mark = flow.mark.unwrap_or(0);
        let interface = flow
            .device
            .as_ref()
            .map_or(0, |device| interfaces.get(device).copied().unwrap_or(0));
        let decided = Outbound { protocol, source, destination, port, owner, mark, interface };
        Some(decide(&Decided::Outbound(decided), &policy.policy, policy).reason)
    }
}

/// Who connects to an address of the pod: the other end of the cable.
fn neighbor(to: IpAddr) -> IpAddr {
    match to {
        IpAddr::V4(v4) => [10, v4.octets()[1], 0, 1].into(),
        IpAddr::V6(v6) => [v6.segments()[0], 0, 0, 0, 0, 0, 0, 1].into(),
    }
}
