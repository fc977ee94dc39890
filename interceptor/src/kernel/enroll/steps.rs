// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a run does to a pod, as plain data: drawn by `plan`, printed by a dry run, carried out by `execute`.

use std::{fmt, path::PathBuf};

use crate::kernel::pod::tproxy::MarkedRouting;

/// What a run does to a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is enrolled with this very policy.
    Nothing,
    /// The same, and what the pod's network has lost is put back.
    Mend,
    Enroll,
    Switch,
}

/// The steps of a run, in order. The pod's enrollment begins, or changes, at [`Step::PutInForce`] and at no other
/// step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub change: Change,
    pub steps: Vec<Step>,
}

/// One step of a [`Plan`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    LoadPrograms,
    LoadAcceleration,
    PrepareIpv6,
    PrepareDns { ipv4: bool, ipv6: bool },
    PrepareTproxy(MarkedRouting),
    WriteLists { addresses: usize, numbers: usize, sources: usize, primaries: usize },
    Attach { programs: Vec<&'static str>, cgroup: PathBuf, netns: String },
    AdoptListeners { ports: [u16; 2] },
    PutInForce { netns_cookie: u64 },
    AdoptLateListeners,
    RemoveOldLists,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heading = match self.change {
            Change::Nothing => "The pod is enrolled with this configuration; nothing to do",
            Change::Mend => "The pod is enrolled with this configuration; put back what its network has lost:",
            Change::Enroll => "Enroll the pod:",
            Change::Switch => "Switch the pod to another configuration:",
        };
        f.write_str(heading)?;
        for (index, step) in self.steps.iter().enumerate() {
            write!(f, "\n  {}. {step}", index + 1)?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoadPrograms => f.write_str("load the kernel programs and create the maps"),
            Self::LoadAcceleration => {
                f.write_str("check that this kernel accelerates safely, and load the programs and maps for it")
            }
            Self::PrepareIpv6 => f.write_str("make ::6 and the network of the IPv6 slots local in the pod"),
            Self::PrepareDns { ipv4, ipv6 } => {
                let agent = match (ipv4, ipv6) {
                    (true, true) => "127.0.0.1 and ::1",
                    (false, true) => "::1",
                    (_, false) => "127.0.0.1",
                };
                write!(f, "make {agent} local at every interface, for questions that name one")
            }
            Self::PrepareTproxy(routing) => routing.fmt(f),
            Self::WriteLists { addresses, numbers, sources, primaries } => {
                write!(
                    f,
                    "write the lists: {addresses} address ranges, {numbers} ranges of ports and ids, {sources} sources \
                     by route, {primaries} secondary addresses"
                )
            }
            Self::Attach { programs, cgroup, netns } => {
                write!(f, "attach {} to {} and {}", programs.join(", "), cgroup.display(), netns)
            }
            Self::AdoptListeners { ports: [outbound, inbound] } => {
                write!(
                    f,
                    "record the sidecar's sockets that already listen on ports {outbound} and {inbound}"
                )
            }
            Self::PutInForce { netns_cookie } => {
                write!(f, "put the policy in force (network namespace cookie {netns_cookie})")
            }
            Self::AdoptLateListeners => {
                f.write_str("record those of the sidecar's sockets that began to listen meanwhile")
            }
            Self::RemoveOldLists => f.write_str("remove the lists of the previous policy"),
        }
    }
}
