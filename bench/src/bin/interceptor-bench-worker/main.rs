// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One end of the measured connections; started by `interceptor-bench` in a pod.

use clap::{Parser, Subcommand};
use interceptor_bench::worker;

/// Carries out tasks that come on standard input, and says how long they took.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    side: Side,
}

#[derive(Subcommand)]
enum Side {
    /// The application
    Client,
    /// The sidecar's stand-in
    Server { port: u16 },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().side {
        Side::Client => worker::client(),
        Side::Server { port } => worker::server(port),
    }
}
