// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A connection that becomes something else than HTTP.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use clap::Args;
use http_body_util::Empty;
use hyper::{
    Request, StatusCode,
    header::{CONNECTION, HOST, UPGRADE},
};
use hyper_util::rt::TokioIo;
use testkit::records::Tally;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::client::open;
use testkit::write_line;

/// What proxies let through. They do not look into it, and neither does this program: it sends lines instead of
/// frames.
pub(crate) const PROTOCOL: &str = "websocket";

#[derive(Args)]
pub(crate) struct Upgrade {
    /// How many lines to send
    #[arg(long, value_name = "N")]
    count: usize,
    /// Where to
    #[arg(value_name = "IP:PORT")]
    to: SocketAddr,
}

impl Upgrade {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let mut client = open(self.to).await.map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
        let request = Request::get("/upgrade")
            .header(HOST, self.to.to_string())
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, PROTOCOL)
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==")
            .body(Empty::<Bytes>::new())?;
        let response = client.send_request(request).await.context("ask for the upgrade")?;
        ensure!(response.status() == StatusCode::SWITCHING_PROTOCOLS, "{}", response.status());
        let stream = TokioIo::new(hyper::upgrade::on(response).await.context("take over the connection")?);
        let mut stream = BufReader::new(stream);
        let mut tally = Tally::default();
        for number in 0..self.count {
            let sent = format!("line {number}\n");
            stream.write_all(sent.as_bytes()).await.context("send a line")?;
            let mut received = String::new();
            stream.read_line(&mut received).await.context("receive a line")?;
            ensure!(received == sent, "{received:?} instead of {sent:?}");
            tally.succeeded += 1;
        }
        write_line(&tally)
    }
}
