// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `interceptor trace`: follows the verdicts on connections as they happen. It changes nothing but who gets to see
//! them.

mod args;
mod filter;
mod follow;
mod names;
mod shown;
mod tally;

use std::process::ExitCode;

use anyhow::{Context as _, Result};

pub(super) use args::TraceArgs;

pub(super) fn run(args: &TraceArgs) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("Failed to start the runtime")?;
    runtime.block_on(follow::follow(args))?;
    Ok(ExitCode::SUCCESS)
}
