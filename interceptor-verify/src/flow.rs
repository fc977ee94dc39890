// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One connection, or the datagrams of one socket and their answers.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
    time::Duration,
};

use anyhow::{Context as _, bail};

use crate::messages::{Credentials, How, Request};

/// Written as `out tcp [fd99::1]:80 user=1000:1000+1337 maker=0:0 bind=10.99.0.2 mark=1337 port mapped transparent
/// before=10.99.0.1:9`, `out udp 10.50.1.7:53 first=10.99.0.1:53 device=eth1 bind=10.98.0.2 lateport`, `in mptcp
/// 10.99.0.2:8080` or `out sendto 10.50.1.7:53 and=10.99.0.1:53`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Flow {
    /// From outside to the pod, instead of from the pod.
    pub inbound: bool,
    pub how: How,
    /// Port 0 stands for the socket's own one.
    pub to: SocketAddr,
    /// Whom a UDP socket asks as well, at once.
    pub also: Vec<SocketAddr>,
    /// Where the socket was connected before, with or without success.
    pub before: Option<SocketAddr>,
    /// Where a UDP socket is connected when it is connected to `to`.
    pub first: Option<SocketAddr>,
    /// Who connects.
    pub user: Credentials,
    /// Who makes the socket, if that is somebody else.
    pub maker: Option<Credentials>,
    /// What the socket is bound to; the unspecified address where only a port is.
    pub bind: Option<IpAddr>,
    /// Whether the socket is bound to a port as well.
    pub bind_port: bool,
    /// Whether a socket that is bound to an address only gets its port when it is connected
    /// (`IP_BIND_ADDRESS_NO_PORT`).
    pub late_port: bool,
    /// `SO_BINDTODEVICE`
    pub device: Option<String>,
    pub mapped: bool,
    /// `SO_MARK`, for which the socket is root's.
    pub mark: Option<u32>,
    /// `IP_TRANSPARENT`: `bind` may be anybody's address.
    pub transparent: bool,
}

pub const HOW: [(How, &str); 9] = [
    (How::Tcp, "tcp"),
    (How::Nonblocking, "nonblocking"),
    (How::Polled, "polled"),
    (How::Uring, "uring"),
    (How::Mptcp, "mptcp"),
    (How::FastOpen, "fastopen"),
    (How::FastOpenConnect, "fastopenconnect"),
    (How::Udp, "udp"),
    (How::Sendto, "sendto"),
];

impl Flow {
    /// A connection by TCP to `to`, from a socket that user 1000 has made and not bound.
    pub fn plain(to: SocketAddr) -> Self {
        Self {
            inbound: false,
            how: How::Tcp,
            to,
            also: Vec::new(),
            before: None,
            first: None,
            user: Credentials { uid: 1000, gid: 1000, groups: Vec::new() },
            maker: None,
            bind: None,
            bind_port: false,
            late_port: false,
            device: None,
            mapped: false,
            mark: None,
            transparent: false,
        }
    }

    /// The same with `port` in the place of the socket's own.
    #[must_use]
    pub fn at(&self, port: u16) -> Self {
        let to = if self.to.port() == 0 { SocketAddr::new(self.to.ip(), port) } else { self.to };
        Self { to, ..self.clone() }
    }

    /// What an agent is asked for. `port` is the source port, if the flow has one, and `limit` what each call may
    /// take.
    pub fn request(&self, port: u16, limit: Duration) -> Request {
        let unspecified: IpAddr = if self.to.is_ipv4() {
            Ipv4Addr::UNSPECIFIED.into()
        } else {
            Ipv6Addr::UNSPECIFIED.into()
        };
        let bind = self.bind.or_else(|| self.bind_port.then_some(unspecified));
        Request {
            maker: self.maker.clone().unwrap_or_else(|| self.user.clone()),
            user: self.user.clone(),
            how: self.how,
            mapped: self.mapped,
            mark: self.mark,
            device: self.device.clone(),
            late_port: self.late_port,
            transparent: self.transparent,
            bind: bind.map(|ip| SocketAddr::new(ip, if self.bind_port { port } else { 0 })),
            before: self.before,
            first: self.first,
            to: self.to,
            also: self.also.clone(),
            limit,
        }
    }

    /// Everyone who is dialed while it is looked at.
    pub fn destinations(&self) -> impl Iterator<Item = SocketAddr> {
        [self.to].into_iter().chain(self.also.iter().copied())
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            inbound,
            how,
            to,
            also,
            before,
            first,
            user,
            maker,
            bind,
            bind_port,
            late_port,
            device,
            mapped,
            mark,
            transparent,
        } = self;
        let way = if *inbound { "in" } else { "out" };
        let how = HOW.iter().find(|(known, _)| known == how).map_or("", |(_, word)| word);
        write!(formatter, "{way} {how} {to} user={user}")?;
        also.iter().try_for_each(|also| write!(formatter, " and={also}"))?;
        if let Some(before) = before {
            write!(formatter, " before={before}")?;
        }
        if let Some(first) = first {
            write!(formatter, " first={first}")?;
        }
        if let Some(maker) = maker {
            write!(formatter, " maker={maker}")?;
        }
        if let Some(bind) = bind {
            write!(formatter, " bind={bind}")?;
        }
        if let Some(device) = device {
            write!(formatter, " device={device}")?;
        }
        if let Some(mark) = mark {
            write!(formatter, " mark={mark}")?;
        }
        for (is, word) in
            [(bind_port, "port"), (late_port, "lateport"), (mapped, "mapped"), (transparent, "transparent")]
        {
            if *is {
                write!(formatter, " {word}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Flow {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let mut words = text.split_whitespace();
        let mut next = || {
            words
                .next()
                .with_context(|| format!("`in|out tcp|udp|… IP:PORT …`, not {text:?}"))
        };
        let inbound = match next()? {
            "in" => true,
            "out" => false,
            other => bail!("neither in nor out: {other:?}"),
        };
        let word = next()?;
        let how = HOW
            .iter()
            .find(|(_, known)| *known == word)
            .with_context(|| format!("no way to connect: {word:?}"))?
            .0;
        let to = next()?.parse().context("a destination")?;
        let mut flow = Self { inbound, how, ..Self::plain(to) };
        for word in words {
            match word.split_once('=') {
                Some(("user", user)) => flow.user = user.parse()?,
                Some(("and", also)) => flow.also.push(also.parse().context("another destination")?),
                Some(("before", before)) => flow.before = Some(before.parse().context("the destination before")?),
                Some(("first", first)) => flow.first = Some(first.parse().context("the destination before")?),
                Some(("device", device)) => flow.device = Some(device.to_owned()),
                Some(("maker", maker)) => flow.maker = Some(maker.parse()?),
                Some(("bind", bind)) => flow.bind = Some(bind.parse().context("an address to bind to")?),
                Some(("mark", mark)) => flow.mark = Some(mark.parse().context("a mark")?),
                None if word == "transparent" => flow.transparent = true,
                None if word == "port" => flow.bind_port = true,
                None if word == "lateport" => flow.late_port = true,
                None if word == "mapped" => flow.mapped = true,
                _ => bail!("nothing that a flow has: {word:?}"),
            }
        }
        Ok(flow)
    }
}

impl fmt::Display for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { uid, gid, groups } = self;
        write!(formatter, "{uid}:{gid}")?;
        groups.iter().try_for_each(|group| write!(formatter, "+{group}"))
    }
}

impl FromStr for Credentials {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (uid, groups) = text.split_once(':').context("UID:GID[+GROUP]")?;
        let mut groups = groups
            .split('+')
            .map(|group| group.parse::<u32>().with_context(|| format!("group {group:?}")));
        let gid = groups.next().context("a group")??;
        Ok(Self {
            uid: uid.parse().context("a user")?,
            gid,
            groups: groups.collect::<anyhow::Result<_>>()?,
        })
    }
}
