// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Many requests at once.

use std::net::SocketAddr;

use clap::Args;
use testkit::records::Tally;
use tokio::task::JoinSet;

use crate::client::{count, get, open};
use testkit::write_line;

#[derive(Args)]
pub(crate) struct Parallel {
    /// How many
    #[arg(long, value_name = "N")]
    count: usize,
    /// Of what
    #[arg(long, value_name = "PATH", default_value = "/")]
    path: String,
    /// Where to
    #[arg(value_name = "IP:PORT")]
    to: SocketAddr,
}

impl Parallel {
    /// All connections are there before the first request is sent.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let Self { count: wanted, path, to } = self;
        let mut tally = Tally::default();
        let mut clients = Vec::new();
        for _ in 0..wanted {
            match open(to).await {
                Ok(client) => clients.push(client),
                Err(failure) => count(&mut tally, Err(failure)),
            }
        }
        let mut requests = JoinSet::new();
        for mut client in clients {
            let (host, path) = (to.to_string(), path.clone());
            requests.spawn(async move {
                let outcome = get(&mut client, &host, &path).await;
                (outcome, client)
            });
        }
        // Nobody hangs up before all are answered.
        let mut answered = Vec::new();
        while let Some(ended) = requests.join_next().await {
            let (outcome, client) = ended?;
            count(&mut tally, outcome);
            answered.push(client);
        }
        write_line(&tally)
    }
}
