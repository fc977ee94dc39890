// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The admission webhook: the API server shows it each pod that is created, and it answers with what the rewrite
//! changes.
//!
//! ```text
//! API server ──TLS──▶ server ──▶ door (method, type, size, time) ──▶ review (bytes ──▶ answer) ──▶ interceptor-inject
//!                       ▲
//!                  certificate ◀── files, or a Secret that all replicas share; its authority goes into the
//!                                  MutatingWebhookConfiguration
//! ```
//!
//! When it rewrites, it never denies a pod: one that it does not change is the pod that Istio made, which iptables
//! intercepts. When it injects an Envoy without Istio, it denies a pod that cannot get one, because nothing else would
//! intercept that pod.

mod args;
mod ask;
mod certificate;
mod client;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod log;
mod metrics;
mod render;
mod review;
mod server;
mod webhook;
mod work;

use std::process::ExitCode;

use self::args::{Cli, Command};
pub use self::metrics::idle_metrics;

/// Runs the webhook with the arguments of this process, until it is asked to end (SIGTERM, SIGINT). Or prints what the
/// arguments ask for.
#[must_use]
pub fn main() -> ExitCode {
    let done = match Cli::read().command {
        Command::Run(args, work) => {
            log::start(&args.log);
            webhook::run(&args, work).inspect_err(|error| tracing::error!("{error:#}"))
        }
        Command::Render(args) => render::run(&args).inspect_err(render::error),
        Command::Ask(args) => ask::run(&args).inspect_err(render::error),
    };
    if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
