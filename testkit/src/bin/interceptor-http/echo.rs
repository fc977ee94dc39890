// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Both directions of an HTTP/2 stream at once, as gRPC uses them.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt as _, channel::Channel};
use hyper::{Request, StatusCode, body::Incoming, client::conn::http2::handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use testkit::records::Tally;

use crate::client::connect;
use testkit::write_line;

#[derive(Args)]
pub(crate) struct Echo {
    /// How many messages to send
    #[arg(long, value_name = "N")]
    count: usize,
    /// Where to
    #[arg(value_name = "IP:PORT")]
    to: SocketAddr,
}

impl Echo {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let stream = connect(self.to).await.map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
        let (mut client, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .context("speak HTTP/2")?;
        tokio::spawn(connection);
        let (mut sender, body) = Channel::<Bytes>::new(1);
        let request = Request::post(format!("http://{}/echo", self.to))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        let response = client.send_request(request.body(body)?).await.context("begin the stream")?;
        ensure!(response.status() == StatusCode::OK, "{}", response.status());
        let mut answers = response.into_body();

        let mut tally = Tally::default();
        for number in 0..self.count {
            let sent = format!("message {number}");
            sender.send_data(Bytes::from(sent.clone())).await.context("send a message")?;
            let received = receive(&mut answers, sent.len()).await?;
            ensure!(received == sent.as_bytes(), "{received:?} instead of {sent:?}");
            tally.succeeded += 1;
        }
        drop(sender);
        let trailers = answers
            .frame()
            .await
            .context("trailers")?
            .context("receive the trailers")?
            .into_trailers();
        let status = trailers.ok().and_then(|trailers| trailers.get("grpc-status").cloned());
        ensure!(status.as_ref().is_some_and(|status| status == "0"), "grpc-status {status:?}");
        write_line(&tally)
    }
}

async fn receive(answers: &mut Incoming, length: usize) -> anyhow::Result<Vec<u8>> {
    let mut received = Vec::new();
    while received.len() < length {
        let frame = answers.frame().await.context("another message")?.context("receive a message")?;
        received.extend(frame.into_data().unwrap_or_default());
    }
    Ok(received)
}
