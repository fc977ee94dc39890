// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The smallest web application: one page, and a line of JSON about each connection.

use std::net::SocketAddr;

use anyhow::Context as _;
use clap::Args;
use interceptor_verify::probe::{Launch, greeting, listen, until_terminated};
use testkit::{records::Ready, write_line};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// A longer request gets no answer.
const LONGEST_REQUEST: u64 = 16 * 1024;

#[derive(Args)]
pub(crate) struct Web {
    /// What it calls itself
    #[arg(long, default_value = "web")]
    name: String,
    /// Text of the page
    #[arg(long, value_name = "TEXT", default_value = "Hello")]
    page: String,
    /// Where to listen
    #[arg(value_name = "IP:PORT")]
    listen: SocketAddr,
}

impl Web {
    /// Serves until SIGTERM.
    pub(crate) fn run(self, launch: &Launch) -> anyhow::Result<()> {
        launch.assume_user()?;
        let Self { name, page, listen: address } = self;
        until_terminated(async move {
            let listener = listen(address, false, false)?;
            write_line(&Ready { ready: vec![listener.local_addr()?] })?;
            answer_all(&listener, &name, &response(&page)).await
        })
    }
}

async fn answer_all(listener: &TcpListener, name: &str, response: &str) -> anyhow::Result<()> {
    loop {
        let (stream, peer) = listener.accept().await.context("accept a connection")?;
        write_line(&greeting(name, &stream, peer)?)?;
        tokio::spawn(answer(stream, response.to_owned()));
    }
}

/// One request, one answer, and the end of the connection. A client that breaks off ends it sooner.
async fn answer(mut stream: TcpStream, response: String) -> anyhow::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut request = BufReader::new(reader.take(LONGEST_REQUEST)).lines();
    // The head of a request ends with an empty line.
    while !request.next_line().await?.context("a whole request")?.is_empty() {}
    writer.write_all(response.as_bytes()).await?;
    Ok(writer.shutdown().await?)
}

fn response(page: &str) -> String {
    let length = page.len() + 1;
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\nConnection: \
         close\r\n\r\n{page}\n"
    )
}
