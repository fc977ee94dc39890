// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One UDP datagram and its answer.

use std::{io, io::Read as _, net::SocketAddr};

use clap::Args;
use interceptor_verify::probe::{Launch, Step, failure, look};
use socket2::{Socket, Type};
use testkit::{records::Report, retry::retry};

use testkit::write_line;

use crate::socket::SocketOptions;

#[derive(Args)]
pub(crate) struct Datagram {
    #[command(flatten)]
    socket: SocketOptions,
    /// Where to
    #[arg(value_name = "IP:PORT")]
    to: SocketAddr,
}

impl Datagram {
    pub(crate) fn run(&self, launch: &Launch) -> anyhow::Result<()> {
        let made = self.socket.make(launch, Type::DGRAM)?;
        let report = made.and_then(|socket| self.exchange(&socket));
        write_line(&report.unwrap_or_else(|error| Report { error: Some(error), ..Report::default() }))
    }

    fn exchange(&self, mut socket: &Socket) -> Step<Report> {
        self.socket.connect(socket, self.to)?;
        let mut report = look(socket);
        retry(|| socket.send(b"who are you\n")).map_err(|error: io::Error| failure("send", &error))?;
        let mut answer = [0; 2048];
        let count = retry(|| socket.read(&mut answer)).map_err(|error| failure("receive", &error))?;
        report.received = Some(String::from_utf8_lossy(&answer[..count]).trim_end().to_owned());
        Ok(report)
    }
}
