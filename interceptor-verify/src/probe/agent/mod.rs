// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Many clients in one process: each request is carried out as the users it names, and the process is root again
//! afterward.

mod request;
mod tcp;
mod udp;
mod uring;

use std::io;

use super::{Launch, Step, failure, socket::set_transparent, write_line};
use crate::{
    messages::{Credentials, How, Report, Request},
    retry,
};
use anyhow::Context as _;
use nix::{
    sys::socket::{setsockopt, sockopt::IpBindAddressNoPort},
    unistd::{Gid, Uid, setegid, seteuid, setgroups},
};
use socket2::{Domain, Protocol, Socket, Type};

use self::{
    request::{in_family, set},
    uring::Ring,
};

/// Whether connections by `io_uring` can be made here; the sysctl `kernel.io_uring_disabled` may forbid it.
pub fn has_io_uring() -> bool {
    Ring::new().is_ok()
}

/// Answers until standard input ends.
pub fn run(launch: &Launch) -> anyhow::Result<()> {
    launch.assume_user()?;
    let mut ring = None;
    for line in io::stdin().lines() {
        let request: Request = serde_json::from_str(&line?).context("read a request")?;
        if request.how == How::Uring && ring.is_none() {
            ring = Some(Ring::new()?);
        }
        let mut report = Report::default();
        if let Err(error) = carry_out(&request, ring.as_mut(), &mut report)? {
            report.error = Some(error);
        }
        write_line(&report)?;
    }
    Ok(())
}

fn carry_out(request: &Request, ring: Option<&mut Ring>, report: &mut Report) -> anyhow::Result<Step<()>> {
    let domain = if request.mapped || request.to.is_ipv6() { Domain::IPV6 } else { Domain::IPV4 };
    let (kind, protocol) = match request.how {
        How::Udp | How::Sendto => (Type::DGRAM, None),
        How::Mptcp => (Type::STREAM, Some(Protocol::MPTCP)),
        How::Tcp | How::Nonblocking | How::Polled | How::Uring | How::FastOpen | How::FastOpenConnect => {
            (Type::STREAM, None)
        }
    };
    let made = as_user(&request.maker, || {
        Socket::new(domain, kind, protocol).map_err(|error| failure("socket", &error))
    })?;
    match made.and_then(|socket| set_as_root(request, &socket).map(|()| socket)) {
        Ok(socket) => as_user(&request.user, || converse(request, ring, socket, report)),
        Err(error) => Ok(Err(error)),
    }
}

/// What takes privileges that `request.user` may not have.
fn set_as_root(request: &Request, socket: &Socket) -> Step<()> {
    set(request
        .device
        .as_ref()
        .map_or(Ok(()), |device| socket.bind_device(Some(device.as_bytes()))))?;
    set(request.mark.map_or(Ok(()), |mark| socket.set_mark(mark)))?;
    set(if request.transparent { set_transparent(socket, request.to) } else { Ok(()) })
}

fn converse(request: &Request, ring: Option<&mut Ring>, socket: Socket, report: &mut Report) -> Step<()> {
    set(socket.set_write_timeout(Some(request.limit)))?;
    set(socket.set_read_timeout(Some(request.limit)))?;
    if request.late_port {
        set(setsockopt(&socket, IpBindAddressNoPort, &true).map_err(Into::into))?;
    }
    if let Some(bind) = request.bind {
        socket
            .bind(&in_family(request, bind))
            .map_err(|error| failure("bind", &error))?;
    }
    if let Some(before) = request.before {
        // Whether it succeeds is not asked here: the next connection is the one that is looked at.
        retry::connect(&socket, &in_family(request, before)).unwrap_or_default();
        rustix::net::connect_unspec(&socket).map_err(|error| failure("disconnect", &error.into()))?;
    }
    if request.how.is_udp() {
        udp::converse(request, &socket, report)
    } else {
        tcp::converse(request, ring, socket, report)
    }
}

/// Does `action` with other effective ids.
fn as_user<T>(Credentials { uid, gid, groups }: &Credentials, action: impl FnOnce() -> T) -> anyhow::Result<T> {
    let groups: Vec<Gid> = groups.iter().copied().map(Gid::from_raw).collect();
    let begin = || {
        setgroups(&groups)?;
        setegid(Gid::from_raw(*gid))?;
        seteuid(Uid::from_raw(*uid))
    };
    begin().with_context(|| format!("act as user {uid} and group {gid}"))?;
    let result = action();
    // The user first: only root may choose its groups.
    let end = || {
        seteuid(Uid::from_raw(0))?;
        setegid(Gid::from_raw(0))
    };
    end().context("act as root again")?;
    Ok(result)
}
