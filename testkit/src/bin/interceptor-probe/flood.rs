// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Calls of `connect()` as fast as they go, each to another destination. None sends a packet.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use clap::Args;
use interceptor_verify::probe::{Launch, failure};
use socket2::{Domain, Socket, Type};
use testkit::{records::Tally, retry, write_line};

/// An address that no pod of a test has. From there nothing is reached, so every call ends at once.
const NOWHERE: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);

#[derive(Args)]
pub(crate) struct Flood {
    /// This many destinations
    #[arg(long, value_name = "N", default_value = "1")]
    count: u32,
    /// The first destination; the others have the addresses after this one
    #[arg(value_name = "IP:PORT")]
    first: SocketAddr,
}

impl Flood {
    pub(crate) fn run(&self, launch: &Launch) -> anyhow::Result<()> {
        launch.assume_user()?;
        let SocketAddr::V4(first) = self.first else {
            anyhow::bail!("{} is not an IPv4 address", self.first)
        };
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_freebind_v4(true)?;
        socket.bind(&SocketAddr::from((NOWHERE, 0)).into())?;
        let mut tally = Tally::default();
        for number in 0..self.count {
            let address = first.ip().to_bits().checked_add(number).context("the addresses end")?;
            let to = SocketAddr::from((Ipv4Addr::from_bits(address), first.port()));
            match retry::connect(&socket, &to.into()) {
                Ok(()) => tally.succeeded += 1,
                Err(error) => {
                    let failed = failure("connect", &error);
                    *tally.failed.entry(format!("{}:{}", failed.step, failed.errno)).or_default() += 1;
                }
            }
        }
        write_line(&tally)
    }
}
