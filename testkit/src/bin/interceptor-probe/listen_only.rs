// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A server that takes connections, and neither says nor does anything with them.

use std::net::SocketAddr;

use anyhow::Context as _;
use clap::Args;
use interceptor_verify::{
    messages::Ready,
    probe::{Launch, listen, until_terminated},
};
use testkit::write_line;
use tokio::{net::TcpListener, task::JoinSet};

#[derive(Args)]
pub(crate) struct ListenOnly {
    /// Where to listen
    #[arg(required = true, value_name = "IP:PORT")]
    listen: Vec<SocketAddr>,
}

impl ListenOnly {
    /// Listens until SIGTERM.
    pub(crate) fn run(self, launch: &Launch) -> anyhow::Result<()> {
        launch.assume_user()?;
        until_terminated(async move {
            let mut tasks = JoinSet::new();
            let mut ready = Vec::new();
            for address in &self.listen {
                let listener = listen(*address, false, false)?;
                ready.push(listener.local_addr()?);
                tasks.spawn(hold_all(listener));
            }
            write_line(&Ready { ready })?;
            tasks
                .join_next()
                .await
                .context("something to listen to")?
                .context("a listener's task")?
        })
    }
}

async fn hold_all(listener: TcpListener) -> anyhow::Result<()> {
    let mut held = Vec::new();
    loop {
        held.push(listener.accept().await?);
    }
}
