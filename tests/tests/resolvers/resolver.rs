// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How a resolver is told to ask, and what it has to say.

/// A program that asks DNS servers.
pub(crate) struct Resolver {
    pub(crate) name: &'static str,
    /// A program of the system's; `env` runs what was built.
    pub(crate) program: &'static str,
    /// `{name}`, `{server}`, `{other}` (another server), `{source}` (the pod's second address) and `{work}` (where
    /// what was built is) stand for what they say.
    pub(crate) arguments: &'static [&'static str],
    pub(crate) servers: Servers,
    pub(crate) finds: Finds,
    /// What else has to stand in what it says, where any run of blanks is one blank. `{host}` is the server as it
    /// stands before a port.
    pub(crate) shows: &'static [&'static str],
    pub(crate) source: Source,
    /// Whether it needs to be root: only root may take a socket off an interface.
    pub(crate) privileged: bool,
}

/// How it knows the servers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Servers {
    /// From `/etc/resolv.conf`.
    Configured,
    /// From its arguments.
    Named,
    /// The same, for one that knows IPv4 servers only.
    NamedV4,
    /// The same, for what IPv4 does not have.
    NamedV6,
}

/// What it says that it found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finds {
    /// An IPv4 address.
    V4,
    /// An address of each family.
    Both,
    /// A hundred IPv4 addresses, which do not fit into a datagram.
    Hundred,
    /// Some of a hundred.
    Some,
}

/// What it binds its socket to before it asks; whom the server sees depends on it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Nothing. If it does not connect its socket either, the agent sees a loopback address.
    Any,
    /// A port and no address; then it connects to the server.
    PortAlone,
    /// The pod's second address.
    Second,
    /// No address, and it asks several servers.
    Several,
}
