// SPDX-License-Identifier: Apache-2.0 OR MIT
use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};

use super::output::{self, Format};
use crate::{Answer, Feature, features};

/// Try whether this machine has what is needed
///
/// Everything is tried, in a network namespace made for the purpose, and nothing stays. From the kernel's version it
/// concludes which known faults in socket maps it has (`--accelerate`), and nothing else.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit status: 0 usable, 1 something needed is missing, or could not be told.")]
pub(super) struct CheckArgs {
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,

    /// A mounted BPF file system
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/bpf")]
    bpffs: PathBuf,
}

pub(super) fn run(args: &CheckArgs) -> Result<ExitCode> {
    let features = features::all(&args.bpffs);
    match args.output {
        Format::Json => output::json(&features)?,
        Format::Text => print(&features),
    }
    let usable = features.iter().all(|feature| feature.optional || feature.answer == Answer::Yes);
    Ok(if usable { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(features: &[Feature]) {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["feature", "Linux", "here", "without it"]);
    for Feature { name, since, without, optional: _, answer } in features {
        table.add_row([name, since, answer.word(), without]);
    }
    output::text(table);
    let problems: Vec<(&str, &str, &str)> = features
        .iter()
        .filter_map(|feature| feature.answer.why().map(|why| (feature.name, feature.answer.word(), why)))
        .collect();
    for (name, word, why) in &problems {
        output::text(format_args!("{name}: {word}: {why}"));
    }
    let usable = features.iter().all(|feature| feature.optional || feature.answer == Answer::Yes);
    output::text(match (usable, problems.is_empty()) {
        (false, _) => "Not usable as things are",
        (true, false) => "Usable, but for what is named above",
        (true, true) => "Usable: everything needed is there",
    });
}
