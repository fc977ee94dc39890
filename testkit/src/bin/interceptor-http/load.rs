// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Requests that keep coming.

use std::net::SocketAddr;

use clap::Args;
use testkit::records::Tally;
use tokio::io::{AsyncReadExt as _, stdin};

use crate::client::{count, get, open};
use testkit::write_line;

#[derive(Args)]
pub(crate) struct Load {
    /// Where to
    #[arg(value_name = "IP:PORT")]
    to: SocketAddr,
}

impl Load {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let host = self.to.to_string();
        let mut tally = Tally::default();
        let (mut stdin, mut nothing) = (stdin(), [0]);
        let ended = stdin.read(&mut nothing);
        tokio::pin!(ended);
        loop {
            let request = async {
                let mut client = open(self.to).await?;
                get(&mut client, &host, "/load").await
            };
            tokio::select! {
                biased;
                outcome = request => count(&mut tally, outcome),
                _ = &mut ended => break,
            }
        }
        write_line(&tally)
    }
}
