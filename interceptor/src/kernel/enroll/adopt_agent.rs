// SPDX-License-Identifier: Apache-2.0 OR MIT
//! DNS agents that ran before their pod was enrolled: the programs know a socket of the sidecar by a note that it gets
//! when it is made, and ask no socket without one.

use anyhow::{Context as _, Result};
use interceptor_config::CompiledPolicy;
use interceptor_policy::PolicyFlags;

use crate::kernel::{
    enroll::adopt::{Holder, find_socket, processes_of},
    node::maps::Maps,
    pod::{
        netns::Netns,
        sock_diag::{self, Found},
    },
    sys::pod_type::Raw,
};

/// Notes on the agent's UDP sockets that the sidecar made them. Returns how many there were.
pub(crate) fn adopt_agent(maps: &mut Maps, netns: &Netns, policy: &CompiledPolicy) -> Result<u32> {
    let dns_port = policy.policy.dns_port;
    if !policy.policy.has(PolicyFlags::DNS) {
        return Ok(0);
    }
    let mut adopted = 0;
    let mut unconnected = sock_diag::unconnected_udp(netns)?;
    unconnected.retain(|found| found.port == dns_port);
    if unconnected.is_empty() {
        return Ok(0);
    }
    let processes = processes_of(netns)?;
    for Found { inode, port: _ } in unconnected {
        match find_socket(&processes, inode, policy)? {
            Holder::Sidecar(socket, owner) => {
                let noted = maps.owners.insert(&socket, Raw(owner), 0);
                noted.context("Failed to note the owner of the DNS agent's socket")?;
                adopted += 1;
            }
            Holder::Foreign => tracing::warn!(
                port = dns_port,
                "a UDP socket that the sidecar did not make has the DNS agent's port: questions that it would get are \
                 refused"
            ),
            Holder::Invisible => tracing::warn!(
                port = dns_port,
                "a UDP socket has the DNS agent's port already, but its process is not visible from here: if it is the \
                 agent's, questions are refused until the sidecar is restarted"
            ),
        }
    }
    Ok(adopted)
}
