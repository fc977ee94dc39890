// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Many clients in one process: each request is carried out as the users it names, and the process is root again afterwards.

use std::{
    io::{self, BufReader, Read as _},
    net::{SocketAddr, SocketAddrV6},
    time::Duration,
};

use anyhow::Context as _;
use interceptor_tests::records::{Credentials, Failure, Report, Request};
use nix::unistd::{Gid, Uid, setegid, seteuid, setgroups};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::{
    connect::{receive, wait_connected, write_line},
    launch::Launch,
    socket::{Step, failure, look, set_transparent},
};

/// Both ends are on this machine: what takes longer gets no answer at all.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Answers until standard input ends.
pub(crate) fn run(launch: &Launch) -> anyhow::Result<()> {
    launch.assume_user()?;
    for line in io::stdin().lines() {
        let request: Request = serde_json::from_str(&line?).context("read a request")?;
        let mut report = Report::default();
        if let Err(error) = carry_out(&request, &mut report)? {
            report.error = Some(error);
        }
        write_line(&report)?;
    }
    Ok(())
}

fn carry_out(request: &Request, report: &mut Report) -> anyhow::Result<Step<()>> {
    let domain = if request.mapped || request.to.is_ipv6() { Domain::IPV6 } else { Domain::IPV4 };
    let kind = if request.udp { Type::DGRAM } else { Type::STREAM };
    let made = as_user(&request.maker, || Socket::new(domain, kind, None).map_err(|error| failure("socket", &error)))?;
    match made.and_then(|socket| set_as_root(request, &socket).map(|()| socket)) {
        Ok(socket) => as_user(&request.user, || converse(request, socket, report)),
        Err(error) => Ok(Err(error)),
    }
}

/// What takes privileges that `request.user` may not have.
fn set_as_root(request: &Request, socket: &Socket) -> Step<()> {
    let set = |result: io::Result<()>| result.map_err(|error| failure("setsockopt", &error));
    set(request.mark.map_or(Ok(()), |mark| socket.set_mark(mark)))?;
    set(if request.transparent { set_transparent(socket, request.to) } else { Ok(()) })
}

fn converse(request: &Request, socket: Socket, report: &mut Report) -> Step<()> {
    let set = |result: io::Result<()>| result.map_err(|error| failure("setsockopt", &error));
    set(socket.set_write_timeout(Some(TIMEOUT)))?;
    set(socket.set_read_timeout(Some(TIMEOUT)))?;
    set(socket.set_nonblocking(request.nonblocking && !request.udp))?;
    if !request.udp {
        // Nothing of it remains: the next connection may have the same ports.
        set(socket.set_linger(Some(Duration::ZERO)))?;
    }
    if let Some(bind) = request.bind {
        socket.bind(&in_family(request, bind)).map_err(|error| failure("bind", &error))?;
    }
    match socket.connect(&in_family(request, request.to)).map_err(|error| failure("connect", &error)) {
        Err(Failure { errno, .. }) if request.nonblocking && errno == "ETIMEDOUT" => wait_connected(&socket)?,
        other => other?,
    }
    set(socket.set_nonblocking(false))?;
    *report = look(&socket);
    report.received = Some(if request.udp { ask(&socket)? } else { receive(&mut BufReader::new(socket))? });
    Ok(())
}

fn ask(mut socket: &Socket) -> Step<String> {
    socket.send(b"who are you\n").map_err(|error| failure("send", &error))?;
    let mut answer = [0; 2048];
    let count = socket.read(&mut answer).map_err(|error| failure("receive", &error))?;
    Ok(String::from_utf8_lossy(&answer[..count]).trim_end().to_owned())
}

fn in_family(request: &Request, address: SocketAddr) -> SockAddr {
    SockAddr::from(match address {
        SocketAddr::V4(v4) if request.mapped => SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into(),
        address => address,
    })
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
