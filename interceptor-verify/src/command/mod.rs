// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command line of `interceptor verify`. It judges no connection.

mod args;
mod backends;
mod compare;
mod output;
mod probe;
mod programs;
mod progress;
mod report;
mod subject;

use std::{error::Error, process::ExitCode};

use anyhow::Result;
use clap::Parser as _;
use interceptor::EnrollError;
use interceptor_config::ConfigError;

use self::{args::VerifyArgs, backends::Lacking, compare::compare, probe::ProbeArgs, report::Verdict};
use crate::Interrupt;

/// Something differs.
const DIFFERS: u8 = 3;
/// It is not known whether anything differs.
const FAILED: u8 = 1;
/// The configuration is refused. (The number is `EX_USAGE` of `sysexits.h`.)
const CONFIGURATION: u8 = 64;
/// This machine lacks something. (`EX_UNAVAILABLE`)
const LACKS: u8 = 69;

/// Runs the command with the arguments of this process.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|word| word == "probe") {
        let done = probe::run(ProbeArgs::parse_from(&arguments[1..]));
        return done.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS);
    }
    run(&VerifyArgs::parse_from(arguments)).unwrap_or_else(|error| failed(&error))
}

fn run(args: &VerifyArgs) -> Result<ExitCode> {
    let interrupt = Interrupt::watch()?;
    let report = compare(args, &interrupt)?;
    for file in &args.reports {
        file.write(&report)?;
    }
    output::text(&report.to_string())?;
    Ok(match report.verdict() {
        Verdict::Same => ExitCode::SUCCESS,
        Verdict::Differs => ExitCode::from(DIFFERS),
        Verdict::Incomplete => ExitCode::from(FAILED),
    })
}

fn failed(error: &anyhow::Error) -> ExitCode {
    output::error(error);
    let is_lacking = matches!(error.downcast_ref(), Some(EnrollError::KernelLacks { .. })) || error.is::<Lacking>();
    ExitCode::from(if error.chain().any(<dyn Error>::is::<ConfigError>) {
        CONFIGURATION
    } else if is_lacking {
        LACKS
    } else {
        FAILED
    })
}
