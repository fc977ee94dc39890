// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `interceptor trace`: follows what the kernel programs count. It changes nothing.

use std::process::{self, ExitCode};

use anyhow::Result;
use clap::Args;

use super::{bpffs::BpffsFlag, exit::FAILED, output};

/// Print every reason that the kernel programs count, as they count it, until interrupted
///
/// Only in builds with the feature kernel-log, and for programs that such a build has loaded.
#[derive(Args, Debug)]
pub(super) struct TraceArgs {
    #[command(flatten)]
    bpffs: BpffsFlag,
}

pub(super) fn run(args: &TraceArgs) -> Result<ExitCode> {
    let never = args.bpffs.open()?.trace(|cookie, reason| {
        let line = format!("pod with cookie {cookie}: {}: {}", reason.label(), reason.sentence());
        match output::stream(line) {
            Ok(true) => {}
            // The command has no end of its own, so it ends with its reader.
            Ok(false) => process::exit(0),
            Err(error) => {
                output::error(&error);
                process::exit(FAILED.into())
            }
        }
    })?;
    match never {}
}
