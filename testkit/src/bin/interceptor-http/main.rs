// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Clients and a server for what curl cannot show of HTTP: both directions of a stream at once, upgrades, many
//! requests at once. Answers in JSON, one object per line.

mod client;
mod echo;
mod load;
mod parallel;
mod serve;
mod upgrade;

use clap::{Parser, Subcommand};

/// Speaks HTTP, on either side.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example:\n  interceptor-http parallel --count 1000 10.0.0.1:80"
)]
struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Serves HTTP/1.1 and HTTP/2: `/bytes/N` is N bytes, `/echo` what it is sent, anything else says who answers and
    /// whom it sees
    Serve(serve::Serve),
    /// Sends messages in one HTTP/2 stream, and waits for each to come back before it sends the next
    Echo(echo::Echo),
    /// Upgrades a connection, and sends lines that come back
    Upgrade(upgrade::Upgrade),
    /// Holds many connections, and sends a request on all of them at once
    Parallel(parallel::Parallel),
    /// One connection and request after another, until standard input ends
    Load(load::Load),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Action::Serve(serve) => serve.run().await,
        Action::Echo(echo) => echo.run().await,
        Action::Upgrade(upgrade) => upgrade.run().await,
        Action::Parallel(parallel) => parallel.run().await,
        Action::Load(load) => load.run().await,
    }
}
