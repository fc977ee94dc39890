// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What everyone saw of a flow, made comparable: ports that the kernel chose are left out.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use serde::Serialize;

use super::listed::Listed;
use crate::{
    flow::Flow,
    messages::{Greeting, How, Report, canonical},
};

/// The name of the server on the sidecar's outbound port.
pub(super) const OUTBOUND: &str = "outbound";
/// The name of the server on the sidecar's inbound port.
pub(super) const INBOUND: &str = "inbound";
/// The name of the DNS server in the sidecar.
pub(super) const AGENT: &str = "agent";

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// `connect:ECONNREFUSED` and the like.
    pub(super) error: Option<String>,
    /// The client's getsockname; without its port, if the kernel chose that.
    client: Option<String>,
    /// The client's getpeername.
    client_peer: Option<SocketAddr>,
    /// The client's `SO_ORIGINAL_DST` at both levels.
    client_levels: Option<Vec<String>>,
    /// In the order of where they came from.
    answers: Vec<Answer>,
}

/// One for a connection, one for each answered datagram.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Answer {
    /// Where a datagram came from.
    from: Option<SocketAddr>,
    /// Who answered.
    server: String,
    /// The server's getsockname.
    local: SocketAddr,
    /// The server's getpeername, without its port.
    peer: Option<IpAddr>,
    /// Whether the server sees the very port that the client has.
    same_port: bool,
    /// `SO_ORIGINAL_DST` at both levels, as the server saw it.
    levels: Vec<String>,
}

impl Seen {
    pub(super) fn new(flow: &Flow, report: &Report) -> anyhow::Result<Self> {
        let received = report.received.iter().map(|text| (None, text));
        let answers = received.chain(report.answers.iter().map(|answer| (Some(answer.from), &answer.received)));
        let answers = answers.map(|(from, text)| Ok(Answer::new(flow, report, from, &Greeting::read(text)?)));
        let mut answers = answers.collect::<anyhow::Result<Vec<Answer>>>()?;
        answers.sort_by_key(|answer| answer.from);
        // Who connects from outside is in no pod.
        let tracked = is_tracked(flow) && !flow.inbound && !answers.is_empty();
        Ok(Self {
            error: report
                .error
                .as_ref()
                .map(|failure| format!("{}:{}", failure.step, failure.errno)),
            client: report.local.map(|local| {
                let ip = comparable(local.ip());
                if flow.bind_port {
                    SocketAddr::new(ip, local.port()).to_string()
                } else {
                    ip.to_string()
                }
            }),
            client_peer: report.peer,
            client_levels: tracked.then(|| report.levels.clone()),
            answers,
        })
    }

    /// Whether a call took longer than it may.
    pub(super) fn timed_out(&self) -> bool {
        self.error.as_deref().is_some_and(|error| error.ends_with(":ETIMEDOUT"))
    }

    /// How `ours` compares with `self`, which iptables made: whether it is the same, or differs as
    /// `docs/differences.md` lists. Nothing for another difference.
    pub(super) fn judge(&self, ours: &Self, flow: &Flow) -> Judged {
        if self.is_same(ours) {
            return Judged::Same;
        }
        let refused = [Some("connect:ECONNREFUSED"), Some("send:ECONNREFUSED")].contains(&ours.error.as_deref());
        if flow.device.is_some() && refused && self.error.is_some() {
            // No sidecar can be reached by that interface: neither connects, and ours says so at once.
            return Judged::Listed(Listed::BoundToInterface);
        }
        let to_range_of_lo = self.client.as_deref() == Some(flow.to.ip().to_string().as_str());
        if flow.device.as_deref() == Some("lo") && refused && to_range_of_lo {
            // The kernel takes an address of a range that is local at `lo` as the source, too.
            return Judged::Listed(Listed::BoundToInterface);
        }
        let to_loopback = flow.destinations().any(|to| to.ip().is_loopback() || to.ip().is_unspecified());
        if flow.device.is_some() && to_loopback && self.error.is_some() {
            return Judged::Listed(Listed::LoopbackByInterface);
        }
        let unanswered = [Some("receive:ETIMEDOUT"), Some("connect:ENETUNREACH")].contains(&self.error.as_deref());
        if flow.device.is_some() && flow.how == How::Udp && unanswered && ours.is_answered_by_agent() {
            // Ours answers a connected socket that is bound to an interface.
            return Judged::Listed(Listed::QuestionByInterface);
        }
        if flow.device.is_some() && flow.how == How::Udp && unanswered && ours.error == self.error {
            // It shows it another source.
            return Judged::Listed(Listed::QuestionByInterface);
        }
        if ours.error.as_deref() == Some("socket:ENOPROTOOPT") {
            return Judged::Listed(Listed::MptcpOfSidecar);
        }
        Judged::Differs
    }

    fn is_same(&self, ours: &Self) -> bool {
        let (mut theirs, mut ours) = (self.clone(), ours.clone());
        for (their_answer, our_answer) in theirs.answers.iter_mut().zip(&mut ours.answers) {
            // Another connection had the same addresses after translation, so iptables took another port.
            if !their_answer.same_port {
                our_answer.same_port = false;
            }
        }
        theirs == ours
    }

    fn is_answered_by_agent(&self) -> bool {
        !self.answers.is_empty() && self.answers.iter().all(|answer| answer.server == AGENT)
    }
}

/// How two sides compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    Same,
    Listed(Listed),
    Differs,
}

impl fmt::Display for Seen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { error, client, client_peer, client_levels, answers } = self;
        if let Some(error) = error {
            write!(formatter, "fails ({error})")?;
        } else {
            formatter.write_str("succeeds")?;
        }
        if let Some(client) = client {
            write!(formatter, "; the client has the address {client}")?;
        }
        if let Some(peer) = client_peer {
            write!(formatter, "; it is connected to {peer}")?;
        }
        if let Some(levels) = client_levels {
            write!(formatter, "; SO_ORIGINAL_DST there: {}", levels.join(" and "))?;
        }
        answers.iter().try_for_each(|answer| write!(formatter, "; {answer}"))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, server, local, peer, same_port, levels } = self;
        let who = match server.as_str() {
            OUTBOUND => "the sidecar's outbound port",
            INBOUND => "the sidecar's inbound port",
            AGENT => "the sidecar's DNS server",
            "app" => "the application of the pod",
            "outside" => "the server outside",
            other => other,
        };
        write!(formatter, "{who} answers")?;
        if let Some(from) = from {
            write!(formatter, " from {from}")?;
        }
        write!(formatter, ", has the address {local}")?;
        if let Some(peer) = peer {
            write!(formatter, ", sees {peer}")?;
        }
        let port = if *same_port { "the client's port" } else { "another port than the client's" };
        write!(formatter, " with {port}")?;
        if !levels.is_empty() {
            write!(formatter, ", SO_ORIGINAL_DST there: {}", levels.join(" and "))?;
        }
        Ok(())
    }
}

/// Whether `SO_ORIGINAL_DST` can be asked for. Of MPTCP the kernel answers it as it likes.
fn is_tracked(flow: &Flow) -> bool {
    !(flow.how.is_udp() || flow.how == How::Mptcp)
}

impl Answer {
    fn new(flow: &Flow, report: &Report, from: Option<SocketAddr>, greeting: &Greeting) -> Self {
        let Greeting { name, uid: _, local, peer, original_destination: _, levels } = greeting;
        let mut answer = Self {
            from,
            server: name.clone(),
            local: canonical(*local),
            peer: Some(comparable(canonical(*peer).ip())),
            same_port: report.local.is_some_and(|local| local.port() == peer.port()),
            levels: levels.clone(),
        };
        if !is_tracked(flow) {
            answer.levels.clear();
        }
        // Listed: the questions of a socket that is not connected come from a loopback address, and so do those of a
        // connected socket that asks others as well, or is bound to a port only.
        let unbound = flow.bind.is_none() && (flow.how == How::Sendto || flow.bind_port);
        let from_loopback = !flow.also.is_empty() || unbound;
        if flow.how.is_udp() && from_loopback && answer.server == AGENT {
            answer.peer = None;
        }
        answer
    }
}

/// Each interface makes a link-local address of its own.
fn comparable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0).into(),
        ip => ip,
    }
}
