// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sends much data both ways in pieces of random size, and compares what arrives.

use std::{
    io,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

use anyhow::{Context as _, ensure};
use clap::Args;
use testkit::records::Transferred;

use super::{
    maker::Maker,
    stream::{Stream as Bytes, Until},
};
use testkit::write_line;

#[derive(Args)]
pub(super) struct Transfer {
    /// Connections at the same time
    #[arg(long, default_value_t = 1)]
    connections: u64,
    /// Bytes in each direction of each
    #[arg(long)]
    bytes: u64,
}

#[derive(Args)]
pub(super) struct Stream {
    /// Connections at the same time
    #[arg(long, default_value_t = 1)]
    connections: u64,
}

impl Transfer {
    pub(super) fn run(&self, maker: &Maker<'_>) -> anyhow::Result<Transferred> {
        both_ways(
            maker,
            self.connections,
            &Until::Bytes(self.bytes),
            &AtomicU64::new(0),
            || Ok(()),
        )
    }
}

impl Stream {
    /// Says how much has arrived whenever it is sent a line.
    pub(super) fn run(&self, maker: &Maker<'_>) -> anyhow::Result<()> {
        let stop = AtomicBool::new(false);
        let arrived = AtomicU64::new(0);
        let connections = self.connections;
        let transferred = both_ways(maker, connections, &Until::Told(&stop), &arrived, || {
            for line in io::stdin().lines() {
                line.context("read standard input")?;
                write_line(&Transferred { connections, bytes: arrived.load(Ordering::Relaxed) })?;
            }
            stop.store(true, Ordering::Relaxed);
            Ok(())
        })?;
        write_line(&transferred)
    }
}

/// Four threads for each connection: at each end one that writes and one that reads.
fn both_ways(
    maker: &Maker<'_>,
    connections: u64,
    until: &Until<'_>,
    arrived: &AtomicU64,
    meanwhile: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<Transferred> {
    let pairs: Vec<_> = (0..connections).map(|_| maker.make()).collect::<anyhow::Result<_>>()?;
    for (client, server) in &pairs {
        // As proxies and most runtimes have it; a blocking recv() of an accelerated socket may come back with EAGAIN.
        client.set_nonblocking(true)?;
        server.set_nonblocking(true)?;
    }
    thread::scope(|scope| {
        let mut directions = Vec::new();
        for (index, (client, server)) in (0..).zip(&pairs) {
            for (bytes, from, to) in
                [(Bytes::new(2 * index), client, server), (Bytes::new(2 * index + 1), server, client)]
            {
                let written = scope.spawn(move || bytes.write(from, until));
                directions.push((written, scope.spawn(move || bytes.read(to, arrived))));
            }
        }
        meanwhile()?;
        let mut bytes = 0;
        for (written, read) in directions {
            let [written, read] = [written, read].map(|thread| thread.join().expect("a thread that does not panic"));
            // Whoever reads knows first what went wrong.
            let (read, written) = (read?, written?);
            ensure!(written == read, "{written} bytes were written, {read} arrived");
            bytes += read;
        }
        Ok(Transferred { connections, bytes })
    })
}
