// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command `interceptor inject`: reads manifests, and writes them with their pods rewritten. It writes nothing
//! unless everything was read and understood. Where a cluster is asked, another program does it.

mod args;
mod change;
mod cluster;
mod diff;
mod explain;
mod input;
mod kube_inject;
mod manifests;
mod output;

use std::{ffi::OsString, process::ExitCode};

use anyhow::{Result, bail};
use clap::{CommandFactory as _, Parser as _, error::ErrorKind};

use self::{
    args::Cli,
    change::{Change, Problem},
    manifests::Manifests,
};

/// A manifest is refused, or something cannot be read or written.
const FAILED: u8 = 1;
/// The command line is wrong.
const USAGE: u8 = 2;

/// Runs the command, prints its errors, and returns its exit status.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // If the message cannot be written, there is no place left to say so.
            let _printed = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let done = Change::new(&cli).and_then(|change| Ok(inject(&cli, &change)?));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Problem::Usage(message)) => {
            let _printed = Cli::command().error(ErrorKind::ArgumentConflict, message).print();
            ExitCode::from(USAGE)
        }
        Err(Problem::Failed(error)) => {
            output::message("error: ", &format_args!("{error:#}"));
            ExitCode::from(FAILED)
        }
    }
}

fn inject(cli: &Cli, change: &Change) -> Result<()> {
    let mut manifests = Manifests { explain: cli.explain, ..Manifests::default() };
    for file in input::read(&cli.filename)? {
        manifests.add(&file, change)?;
    }
    for (is_surprising, line) in &manifests.report {
        output::message(if *is_surprising { "warning: " } else { "" }, line);
    }
    if cli.strict && manifests.left_alone > 0 {
        bail!(
            "--strict: {} of {} workloads are left alone, as said above; nothing is written",
            manifests.left_alone,
            manifests.workloads
        );
    }
    let text = if cli.dry_run { &manifests.diff } else { &manifests.text };
    output::write(cli.output.as_deref(), text)
}
