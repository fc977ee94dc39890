// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Datagrams, each to a server that answers it.

use std::net::UdpSocket;

use socket2::Socket;

use super::request::{QUESTION, in_family};
use crate::{
    messages::{Answer, How, Report, Request},
    probe::{Step, failure, look, receive_datagram},
    retry::retry,
};

pub(super) fn converse(request: &Request, socket: &Socket, report: &mut Report) -> Step<()> {
    if let Some(first) = request.first {
        // Whether it succeeds is not asked here: the next one is looked at.
        socket.connect(&in_family(request, first)).unwrap_or_default();
    }
    if request.how == How::Udp {
        socket
            .connect(&in_family(request, request.to))
            .map_err(|error| failure("connect", &error))?;
        retry(|| socket.send(QUESTION)).map_err(|error| failure("send", &error))?;
    } else {
        send_to(request, socket, request.to)?;
    }
    *report = look(socket);
    for server in &request.also {
        send_to(request, socket, *server)?;
    }
    let socket: UdpSocket = socket.try_clone().map_err(|error| failure("clone", &error))?.into();
    for _question in 0..=request.also.len() {
        report.answers.push(answer(&socket)?);
    }
    Ok(())
}

fn send_to(request: &Request, socket: &Socket, server: std::net::SocketAddr) -> Step<()> {
    retry(|| socket.send_to(QUESTION, &in_family(request, server)))
        .map(drop)
        .map_err(|error| failure("send", &error))
}

fn answer(socket: &UdpSocket) -> Step<Answer> {
    receive_datagram(socket).map_err(|error| failure("receive", &error))
}
