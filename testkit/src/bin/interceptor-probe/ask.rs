// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One unconnected UDP socket that asks several servers at once, as resolvers do.

use std::{io, net::SocketAddr};

use anyhow::Context as _;
use clap::Args;
use socket2::{SockAddr, Type};
use testkit::records::Answer;

use crate::{
    connect::write_line,
    launch::Launch,
    socket::{SocketOptions, TIMEOUT},
};

#[derive(Args)]
pub(crate) struct Ask {
    #[command(flatten)]
    socket: SocketOptions,
    /// Whom
    #[arg(required = true, value_name = "IP:PORT")]
    servers: Vec<SocketAddr>,
}

impl Ask {
    pub(crate) fn run(&self, launch: &Launch) -> anyhow::Result<()> {
        let socket = self
            .socket
            .make(launch, Type::DGRAM)?
            .map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
        socket.set_read_timeout(Some(TIMEOUT)).context("set a time limit")?;
        for server in &self.servers {
            socket
                .send_to(b"who are you\n", &SockAddr::from(self.socket.in_family(*server)))
                .with_context(|| format!("ask {server}"))?;
        }
        let answers: io::Result<Vec<Answer>> =
            self.servers.iter().map(|_| receive(&socket.try_clone()?.into())).collect();
        write_line(&answers.context("wait for an answer")?)
    }
}

pub(crate) fn receive(socket: &std::net::UdpSocket) -> io::Result<Answer> {
    let mut answer = [0; 2048];
    let (count, from) = loop {
        match socket.recv_from(&mut answer) {
            // Of no concern to the one who waits: an `io_uring` of this process had something to do, for example.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            received => break received?,
        }
    };
    Ok(Answer { from, received: String::from_utf8_lossy(&answer[..count]).trim_end().to_owned() })
}
