// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `interceptor check`: what this machine can do, and what that means for pods. It changes nothing.

mod outcome;
mod report;

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use self::outcome::{Outcome, consequence};
use super::{
    bpffs::BpffsFlag,
    exit::{FAILED, KERNEL_LACKS},
    output::{self, Format},
};
use crate::features::{self, Feature, Needs};

/// Check whether this machine has what is needed
///
/// Every feature is tested by using it. Only one thing is inferred from the kernel version: known socket map bugs
/// (relevant for --accelerate). Nothing that a test sets up stays.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit status: 0 usable, 69 something needed is missing, 1 could not tell or failed.")]
pub(super) struct CheckArgs {
    /// Show each kernel program
    #[arg(short, long)]
    verbose: bool,

    /// Format of the output
    #[arg(
        short,
        visible_short_alias = 'O',
        long,
        value_name = "FORMAT",
        value_enum,
        default_value_t
    )]
    output: Format,

    #[command(flatten)]
    bpffs: BpffsFlag,
}

pub(super) fn run(args: &CheckArgs) -> Result<ExitCode> {
    let features = features::all(args.bpffs.path());
    match args.output {
        Format::Json => output::json(&features.iter().map(FeatureStatus::of).collect::<Vec<_>>())?,
        Format::Text => output::text(report::of(&features, args.verbose))?,
    }
    Ok(match Outcome::of(&features) {
        Outcome::Usable => ExitCode::SUCCESS,
        Outcome::Lacks => ExitCode::from(KERNEL_LACKS),
        Outcome::Unknown => ExitCode::from(FAILED),
    })
}

/// A feature, as `--output json` prints it.
#[derive(Debug, Serialize)]
struct FeatureStatus {
    name: &'static str,
    /// The first Linux version that has it.
    since: &'static str,
    /// What happens without it.
    without: &'static str,
    /// Whether pods can be enrolled without it.
    optional: bool,
    answer: String,
}

impl FeatureStatus {
    fn of(feature: &Feature) -> Self {
        let Feature { name, kind, needs, answer } = feature;
        Self {
            name,
            since: match needs {
                Needs::Linux(version) => version,
                Needs::Release => "by release",
                Needs::Test => "by trying",
            },
            without: consequence(*kind),
            optional: kind.is_optional(),
            answer: match answer.why() {
                None => answer.word().to_owned(),
                Some(why) => format!("{}: {why}", answer.word()),
            },
        }
    }
}
