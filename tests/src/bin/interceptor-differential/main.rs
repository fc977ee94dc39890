// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Compares `interceptor` with the rules of Istio, for as many configurations as wanted.

use std::{
    fs,
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use interceptor_verify::{
    Interrupt,
    istio::Iptables,
    lab::{Case, Lab, WRITTEN, cases, random, stacks},
};
use testkit::scratch;

/// Runs the same connections in two pods, one with Istio's iptables rules and one enrolled with interceptor, and
/// compares what everyone sees of them.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:\n  interceptor-differential --cases 500\n  interceptor-differential --seed 7 --backend \
                  nft\n  \
                  interceptor-differential --list differing.txt"
)]
struct Arguments {
    /// Random configurations to try after the written ones; each comes with up to 40 connections
    #[arg(long, value_name = "N", default_value_t = 200)]
    cases: u32,
    /// Seed of the random choices; the same seed tries the same cases [default: another one each time]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Which iptables loads the rules
    #[arg(long, value_enum, default_value = "both")]
    backend: Backend,
    /// Try the cases of a file, written as this program prints them, and no others
    #[arg(long, value_name = "FILE", conflicts_with_all = ["cases", "seed"])]
    list: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Backend {
    Legacy,
    Nft,
    Both,
}

impl Backend {
    const fn iptables(self) -> &'static [Iptables] {
        match self {
            Self::Legacy => &[Iptables::Legacy],
            Self::Nft => &[Iptables::Nft],
            Self::Both => &[Iptables::Legacy, Iptables::Nft],
        }
    }
}

/// What is tried with each iptables.
struct Cases {
    written: Vec<Case>,
    random: u32,
    seed: u64,
}

fn main() -> anyhow::Result<ExitCode> {
    let Arguments { cases: count, seed, backend, list } = Arguments::parse();
    let seed = match seed {
        Some(seed) => seed,
        None => SystemTime::now().duration_since(UNIX_EPOCH).context("the time")?.as_secs(),
    };
    let wanted = match list {
        Some(path) => {
            let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            Cases {
                written: cases(&text).with_context(|| path.display().to_string())?,
                random: 0,
                seed,
            }
        }
        None => Cases {
            written: WRITTEN.into_iter().map(cases).collect::<anyhow::Result<Vec<_>>>()?.concat(),
            random: count,
            seed,
        },
    };
    let interrupt = Interrupt::watch()?;
    let mut same = true;
    for iptables in backend.iptables() {
        same &= compare(*iptables, &wanted, &interrupt)?;
    }
    Ok(if same { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether nothing differs.
fn compare(iptables: Iptables, wanted: &Cases, interrupt: &Interrupt) -> anyhow::Result<bool> {
    let Cases { written, random: count, seed } = wanted;
    let bar = bar(written.len() + *count as usize);
    let scratch = scratch();
    let mut lab = Lab::new(&scratch, iptables)?;
    let start = Instant::now();
    let mut failures = Vec::new();
    let proceed = || {
        bar.inc(1);
        interrupt.check()
    };
    for case in written {
        proceed()?;
        let differences = lab.compare(&case.config, &case.flows);
        failures.extend(differences?.iter().map(ToString::to_string));
    }
    if let Err(failure) = random(&mut lab, stacks(), *count, *seed, proceed) {
        interrupt.check()?; // then that is the failure
        failures.push(failure.to_string());
    }
    bar.finish_and_clear();

    let mut stdout = io::stdout().lock();
    for failure in &failures {
        writeln!(stdout, "{failure}\n")?;
    }
    let (configurations, flows, time) = (lab.configurations(), lab.flows(), start.elapsed().as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "a rate to look at")]
    let rate = flows as f64 / time;
    writeln!(
        stdout,
        "iptables-{iptables}: {flows} flows in {configurations} configurations compared in {time:.0} s ({rate:.0} \
         flows per second), \
         seed {seed}: {} differ",
        failures.len()
    )?;
    Ok(failures.is_empty())
}

/// Drawn only where somebody looks.
fn bar(length: usize) -> ProgressBar {
    let target = if io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} configurations, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(u64::try_from(length).ok(), target).with_style(style)
}
