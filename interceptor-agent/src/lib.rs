// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The node daemon: it enrolls the pods of one Kubernetes node when the CNI plugin asks for it.
//!
//! ```text
//! plugin ──socket──▶ server ──▶ requests ──▶ pods (which pod is it, and what does it want?)
//!                                   │
//!                                   └─────▶ enrollments (one by one: the library's `Node`, and the records)
//! ```
//!
//! Nothing that pods need lives in this process. What is in force is in the kernel, who is who is in the records. So
//! it may be killed at any moment, and stay away: running pods do not notice, and the next start continues.

mod admin;
mod agent;
mod alone;
mod answers;
mod args;
mod by_hand;
mod client;
mod codes;
mod counters;
mod data_path;
mod enrollments;
mod file_system;
mod garbage;
mod health;
mod http;
mod idle;
pub mod install;
mod installer;
mod log;
mod metrics;
mod namespaces;
mod numbers;
mod peer;
mod placement;
mod pods;
mod programs;
mod refresh;
mod repair;
mod requests;
mod rules;
mod server;
mod status;
mod turns;
mod uninstall;
mod unprotected;

use std::process::ExitCode;

use self::args::Command;
pub use self::idle::idle_metrics;

/// Runs the daemon with the arguments of this process, until it is asked to end (SIGTERM, SIGINT). Or puts the CNI
/// plugin on the node or takes it off, if the arguments say so.
#[must_use]
pub fn main() -> ExitCode {
    let command = Command::parse();
    let log = log::start(command.log());
    let ignored = args::ignored_variables(std::env::vars_os().filter_map(|(name, _value)| name.into_string().ok()));
    if !ignored.is_empty() {
        tracing::info!(
            variables = ignored.join(" "),
            "variables of istio-cni that mean nothing here are ignored"
        );
    }
    let done = match &command {
        Command::Run(args) => agent::run(args, log),
        Command::Install(args) => by_hand::install(args),
        Command::Uninstall(args) => by_hand::uninstall(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
