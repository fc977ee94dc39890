// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A connection, and the first line that the server says.

use std::{io::BufReader, time::Duration};

use interceptor_tests::records::{Failure, How, Report, Request};
use nix::sys::socket::{setsockopt, sockopt::TcpFastOpenConnect};
use socket2::Socket;

use super::{QUESTION, in_family, set};
use crate::{
    connect::{receive, wait_connected},
    socket::{Step, failure, look},
};

pub(super) fn converse(request: &Request, socket: Socket, report: &mut Report) -> Step<()> {
    // Nothing of it remains: the next connection may have the same ports.
    set(socket.set_linger(Some(Duration::ZERO)))?;
    connect(request, &socket)?;
    *report = look(&socket);
    report.received = Some(receive(&mut BufReader::new(socket))?);
    Ok(())
}

fn connect(request: &Request, socket: &Socket) -> Step<()> {
    let to = in_family(request, request.to);
    let connected = || socket.connect(&to).map_err(|error| failure("connect", &error));
    match request.how {
        How::Nonblocking => {
            set(socket.set_nonblocking(true))?;
            match connected() {
                Err(Failure { errno, .. }) if errno == "ETIMEDOUT" => wait_connected(socket)?,
                other => other?,
            }
            set(socket.set_nonblocking(false))
        }
        How::FastOpen => {
            let sent = socket.send_to_with_flags(QUESTION, &to, nix::libc::MSG_FASTOPEN);
            sent.map(drop).map_err(|error| failure("connect", &error))
        }
        How::FastOpenConnect => {
            set(setsockopt(socket, TcpFastOpenConnect, &true).map_err(Into::into))?;
            connected()?;
            // Where the server's cookie is known, only this connects.
            socket.send(QUESTION).map(drop).map_err(|error| failure("connect", &error))
        }
        How::Tcp | How::Mptcp | How::Udp | How::Sendto => connected(),
    }
}
