// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One unconnected UDP socket that asks several servers at once, as resolvers do.

use std::{io, net::SocketAddr};

use anyhow::Context as _;
use clap::Args;
use interceptor_verify::probe::{Launch, receive_datagram};
use socket2::{SockAddr, Type};
use testkit::{records::Answer, retry::retry, write_line};

use crate::socket::{SocketOptions, call_limit};

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
        socket.set_read_timeout(Some(call_limit())).context("set a time limit")?;
        for server in &self.servers {
            let to = SockAddr::from(self.socket.in_family(*server));
            retry(|| socket.send_to(b"who are you\n", &to)).with_context(|| format!("ask {server}"))?;
        }
        let answers: io::Result<Vec<Answer>> = self
            .servers
            .iter()
            .map(|_| receive_datagram(&socket.try_clone()?.into()))
            .collect();
        write_line(&answers.context("wait for an answer")?)
    }
}
