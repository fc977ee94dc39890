// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The node daemon: it enrolls the pods of one Kubernetes node when the CNI plugin asks for it.
//!
//! ```text
//! plugin ──socket──▶ server ──▶ requests ──▶ pods (which pod is it, and what does it want?)
//!                                   │
//!                                   └─────▶ enrollments (one by one: the library's door, and the records)
//! ```
//!
//! Nothing that pods need lives in this process. What is in force is in the kernel, who is who is in the records. So
//! it may be killed at any moment, and stay away: running pods do not notice, and the next start continues.

mod agent;
mod answers;
mod args;
mod client;
mod codes;
mod counters;
mod enrollments;
mod garbage;
mod health;
mod http;
pub mod install;
mod log;
mod metrics;
mod namespaces;
mod pods;
mod requests;
mod server;
mod turns;

use std::process::ExitCode;

use clap::Parser as _;

/// Runs the daemon with the arguments of this process, until it is asked to end (SIGTERM, SIGINT).
#[must_use]
pub fn main() -> ExitCode {
    let args = args::Args::parse();
    log::start(&args.log);
    match agent::run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
