// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One row of the table: a connection, and everything that its participants see of it.

use testkit::records::Listener;

/// A service's address, whose only endpoint is the pod's own application.
pub(crate) const SERVICE: &str = "10.96.0.10:80";
pub(crate) const SERVICE_ENDPOINT: &str = "10.96.0.10:80=10.99.0.2:8080";
pub(crate) const SERVICE_ENDPOINT_V6: &str = "[fd96::10]:80=[fd99::2]:8080";

/// Who connects.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who {
    App,
    Proxy,
    /// Neither the sidecar's user nor its group, but in a supplementary group with the same number.
    AppInProxyGroup,
    ProxyUidOnly,
    ProxyGidOnly,
    Outside,
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    App,
    Outside,
}

/// How it ends.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// A server answers; it sees this address as its own.
    Answered(Server, String),
    /// The connection is established and then reset by the sidecar.
    Reset,
    /// ECONNREFUSED
    Refused,
}

/// One passage through the sidecar, in order. The peer it sees is checked to be the client, or the sidecar's previous
/// passage.
#[derive(Clone, Debug)]
pub(crate) struct Hop {
    pub(crate) listener: Listener,
    /// getsockname
    pub(crate) local: String,
    /// `SO_ORIGINAL_DST`; `None` where nobody was redirected, and the answer depends on conntrack.
    pub(crate) original: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) who: Who,
    pub(crate) to: String,
    /// UDP
    pub(crate) datagram: bool,
    /// Flags of the probe.
    pub(crate) flags: Vec<String>,
    pub(crate) sidecar_runs: bool,
    /// The client's getsockname: an address, or an address and a port. `None` where the connection may be gone too
    /// soon to ask.
    pub(crate) local: Option<String>,
    /// The client's getpeername.
    pub(crate) peer: Option<String>,
    pub(crate) hops: Vec<Hop>,
    pub(crate) end: End,
}

impl Row {
    pub(crate) fn new(name: &'static str, who: Who, to: &str) -> Self {
        let (datagram, flags, sidecar_runs, hops) = (false, Vec::new(), true, Vec::new());
        let peer = Some(to.to_owned());
        Self {
            name,
            who,
            to: to.to_owned(),
            datagram,
            flags,
            sidecar_runs,
            local: None,
            peer,
            hops,
            end: End::Refused,
        }
    }

    /// With flags of `interceptor-probe connect`.
    pub(crate) fn flags(mut self, flags: &[&str]) -> Self {
        self.flags = flags.iter().copied().map(str::to_owned).collect();
        self
    }

    /// Whether it is a connection by IPv4.
    pub(crate) fn is_v4(&self) -> bool {
        !self.to.contains('[')
    }

    pub(crate) fn datagram(mut self) -> Self {
        self.datagram = true;
        self
    }

    /// Nobody listens on the sidecar's ports.
    pub(crate) fn without_sidecar(mut self) -> Self {
        self.sidecar_runs = false;
        self
    }

    /// The client's own address.
    pub(crate) fn from(mut self, local: &str) -> Self {
        self.local = Some(local.to_owned());
        self
    }

    /// From 127.0.0.6, straight to the application.
    pub(crate) fn passing_through(self, local: &str) -> Self {
        self.flags(&["--bind", "127.0.0.6"])
            .from("127.0.0.6")
            .reaches(Server::App, local)
    }

    pub(crate) fn by(mut self, who: Who) -> Self {
        self.who = who;
        self
    }

    /// What the client's getpeername says, where that is not what it dialed.
    pub(crate) fn peer(mut self, peer: &str) -> Self {
        self.peer = Some(peer.to_owned());
        self
    }

    /// Goes through the sidecar's outbound port.
    pub(crate) fn outbound(self, original: &str) -> Self {
        self.hop(Hop {
            listener: Listener::Outbound,
            local: "127.0.0.1:15001".to_owned(),
            original: Some(original.to_owned()),
        })
    }

    /// Goes through the sidecar's inbound port, from inside the pod.
    pub(crate) fn inbound_from_inside(self, original: &str) -> Self {
        self.hop(Hop {
            listener: Listener::Inbound,
            local: "127.0.0.1:15006".to_owned(),
            original: Some(original.to_owned()),
        })
    }

    /// Goes through the sidecar's inbound port, from another machine.
    pub(crate) fn inbound(self, original: &str) -> Self {
        self.hop(Hop {
            listener: Listener::Inbound,
            local: "10.99.0.2:15006".to_owned(),
            original: Some(original.to_owned()),
        })
    }

    /// Reaches one of the sidecar's ports without having been redirected.
    pub(crate) fn undirected(self, listener: Listener, local: &str) -> Self {
        self.hop(Hop { listener, local: local.to_owned(), original: None })
    }

    pub(crate) fn reaches(mut self, server: Server, local: &str) -> Self {
        self.end = End::Answered(server, local.to_owned());
        self
    }

    pub(crate) fn ends_in_reset(mut self) -> Self {
        self.end = End::Reset;
        self.peer = None;
        self
    }

    pub(crate) fn ends_refused(mut self) -> Self {
        self.end = End::Refused;
        self.peer = None;
        self
    }

    fn hop(mut self, hop: Hop) -> Self {
        self.hops.push(hop);
        self
    }
}
