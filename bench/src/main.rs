// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Measures no interception, Istio's iptables rules and `interceptor` side by side, and says what may be concluded.
//!
//! Takes everything away again that it makes, also after Ctrl-C.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, ensure};
use clap::{Parser, ValueEnum as _};
use interceptor_bench::{
    experiment::{Effort, Group, Lab, Outcome},
    progress::Progress,
    report::{self, Machine, Report, outcome_table, targets_table},
    worker::{Cpus, pin},
};
use nix::unistd::geteuid;
use testkit::{Interrupt, Node};

/// Compares no interception, Istio's iptables rules and interceptor, in one run.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:\n  interceptor-bench --quick\n  interceptor-bench --only connect --only request --rounds 30"
)]
struct Arguments {
    /// Less of everything: about three minutes
    #[arg(long)]
    quick: bool,
    /// Measure this only; may be repeated
    #[arg(long, value_name = "NAME", value_enum)]
    only: Vec<Group>,
    /// How often everybody has a turn [default: 20, with --quick 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..))]
    rounds: Option<u16>,
    /// Where to write results.json, summary.md and the plots
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    out: PathBuf,
    /// Another build of `interceptor` that takes part, with pods of its own
    #[arg(long, value_name = "PATH")]
    against: Option<PathBuf>,
    /// Also measure HTTP through two of this Envoy
    #[arg(long, value_name = "PATH")]
    envoy: Option<PathBuf>,
    /// The folder of `interceptor`, `interceptor-agent` and `interceptor-cni` as they are shipped, for what has to do
    /// with the agent
    #[arg(long, value_name = "DIR")]
    shipped: Option<PathBuf>,
    /// Seed of the random choices [default: another one each time]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
}

#[expect(clippy::print_stderr, reason = "the last words of a program that fails")]
fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    ensure!(
        geteuid().is_root(),
        "the benchmark makes network namespaces and loads kernel programs, so it needs root"
    );
    let start = Instant::now();
    let seed = match arguments.seed {
        Some(seed) => seed,
        None => SystemTime::now().duration_since(UNIX_EPOCH).context("the time")?.as_secs(),
    };
    let interrupt = Interrupt::watch()?;
    let node = Node::new();
    let against = arguments.against.as_deref().map(|program| {
        ensure!(program.is_file(), "--against: {} is not a program", program.display());
        Ok(Node::with_interceptor(program))
    });
    let against = against.transpose()?;
    let machine = Machine::look(node.interceptor(), arguments.against.as_deref());
    say(&machine.to_string())?;
    let cpus = Cpus::choose()?;
    pin(cpus.other)?;
    let effort = Effort {
        rounds: arguments.rounds.map_or(if arguments.quick { 10 } else { 20 }, usize::from),
        quick: arguments.quick,
    };

    let outcomes = measure((&node, against.as_ref()), arguments, effort, cpus, seed, &interrupt)?;
    drop((node, against));

    let report = Report::new(machine, command_line(), effort.rounds, seed, outcomes);
    report::write(&report, &arguments.out)?;
    if !report.targets.is_empty() {
        say(&format!("\n{}", targets_table(&report.targets)))?;
    }
    let (time, out) = (start.elapsed().as_secs(), arguments.out.display());
    say(&format!(
        "\n{} rounds in {time} s, seed {seed}; results.json, summary.md and the plots are in {out}",
        effort.rounds
    ))
}

fn measure(
    (node, against): (&Node, Option<&Node>),
    arguments: &Arguments,
    effort: Effort,
    cpus: Cpus,
    seed: u64,
    interrupt: &Interrupt,
) -> anyhow::Result<Vec<Outcome>> {
    let groups = groups(arguments);
    let experiments: u32 = groups.iter().map(|group| group.experiments()).sum();
    let progress = Progress::new(u64::from(experiments) * u64::try_from(effort.rounds)?);
    let mut lab = Lab::new(node, effort, cpus, seed, &progress, interrupt);
    lab.envoy.clone_from(&arguments.envoy);
    lab.shipped.clone_from(&arguments.shipped);
    lab.against = against;
    let mut outcomes = Vec::new();
    for group in groups {
        for outcome in group.run(&mut lab)? {
            progress.above(|| say(&format!("\n{}", outcome_table(&outcome, seed))))?;
            outcomes.push(outcome);
        }
    }
    progress.end();
    Ok(outcomes)
}

/// What is asked for, in the order in which it is carried out.
fn groups(Arguments { only, envoy, shipped, .. }: &Arguments) -> Vec<Group> {
    let all = Group::value_variants().iter().copied();
    let wanted = |group: &Group| {
        if only.is_empty() {
            match group {
                Group::Envoy | Group::Mesh => envoy.is_some(),
                Group::Adds | Group::PodsStart => shipped.is_some(),
                _ => true,
            }
        } else {
            only.contains(group)
        }
    };
    all.filter(wanted).collect()
}

/// As the user would type it, when this is called by `cargo xtask bench`.
fn command_line() -> String {
    let words = std::env::args().skip(1);
    std::iter::once("cargo xtask bench".to_owned())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Fails when nobody reads any more, as in `| head`.
fn say(text: &str) -> anyhow::Result<()> {
    writeln!(io::stdout(), "{text}").context("print the results")
}
