// SPDX-License-Identifier: Apache-2.0 OR MIT
use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;

use super::output;
use crate::trace;

/// Print every reason that the kernel programs count, as they count it, until interrupted
///
/// Only in builds with the feature kernel-log, and for programs that such a build has loaded.
#[derive(Args, Debug)]
pub(super) struct TraceArgs {
    /// A mounted BPF file system
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/bpf")]
    bpffs: PathBuf,
}

pub(super) fn run(args: &TraceArgs) -> Result<ExitCode> {
    let bpffs = Bpffs::open(&args.bpffs)?;
    let never = trace::follow(&bpffs, |cookie, reason| {
        output::text(format_args!(
            "pod with cookie {cookie}: {}: {}",
            reason.label(),
            reason.sentence()
        ));
    })?;
    match never {}
}
