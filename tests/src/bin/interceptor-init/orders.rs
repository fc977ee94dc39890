// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What to do in the machine.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    process::{Command, ExitCode},
    time::Instant,
};

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// Before the exit code, on a line of its own, when everything has been done. `xtask` looks for it.
pub(crate) const LAST_WORDS: &str = "interceptor-init: exit code";

/// Where `xtask` puts the orders.
const PATH: &str = "/orders.json";

#[derive(Deserialize)]
struct Orders {
    environment: BTreeMap<String, String>,
    /// One after the other.
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    /// A program with its arguments.
    command: Vec<String>,
    /// Not to be run where `interceptor check` says this of something that is not there: `--accelerate is refused`.
    unless: Option<String>,
    /// What to run there.
    instead: Option<Vec<String>>,
}

/// Of `interceptor check -o json`.
#[derive(Deserialize)]
struct Feature {
    name: String,
    without: String,
    /// `yes`, or something else with its reason.
    answer: String,
}

/// Takes all steps, also after one that failed. The exit code is that of the first that failed.
pub(crate) fn carry_out() -> Result<ExitCode> {
    let text = fs::read_to_string(PATH).with_context(|| format!("read {PATH}"))?;
    let Orders { environment, steps } = serde_json::from_str(&text).with_context(|| format!("make sense of {PATH}"))?;
    let up = Command::new("ip")
        .envs(&environment)
        .args(["link", "set", "lo", "up"])
        .status()
        .context("start ip")?;
    anyhow::ensure!(up.success(), "bring lo up: {up}");

    let (mut report, mut failed) = (Vec::new(), 0);
    for Step { command, unless, instead } in steps {
        let lack = unless.map(|unless| lack(&unless, &environment)).transpose()?.flatten();
        if let Some(lack) = &lack {
            report.push(format!("{:<11}not run        {}: {lack}", "", command.join(" ")));
        }
        let Some(command) = (if lack.is_none() { Some(command) } else { instead }) else {
            continue;
        };
        let line = command.join(" ");
        writeln!(io::stdout(), "\n# {line}")?;
        let start = Instant::now();
        let code = run(&command, &environment)?;
        let verdict = if code == 0 { "ok".to_owned() } else { format!("exit code {code}") };
        report.push(format!("{:>7.1} s  {verdict:<14} {line}", start.elapsed().as_secs_f64()));
        failed = if failed == 0 { code } else { failed };
    }
    if report.len() > 1 {
        writeln!(io::stdout(), "\n{}", report.join("\n"))?;
    }
    Ok(ExitCode::from(u8::try_from(failed).unwrap_or(u8::MAX)))
}

/// What is not there, if `interceptor check` says `unless` of it.
fn lack(unless: &str, environment: &BTreeMap<String, String>) -> Result<Option<String>> {
    // It fails if something else is not there.
    let check = Command::new("interceptor")
        .args(["check", "-o", "json"])
        .envs(environment)
        .output()
        .context("start interceptor check")?;
    let features: Vec<Feature> = serde_json::from_slice(&check.stdout).context("make sense of interceptor check")?;
    let absent = features
        .into_iter()
        .filter(|feature| feature.without == unless && feature.answer != "yes");
    let absent: Vec<String> = absent.map(|Feature { name, answer, .. }| format!("{name}: {answer}")).collect();
    Ok((!absent.is_empty()).then(|| absent.join("; ")))
}

/// The exit code, as shells give it.
fn run(command: &[String], environment: &BTreeMap<String, String>) -> Result<i32> {
    const NOT_FOUND: i32 = 127;
    const ENDED_BY_SIGNAL: i32 = 255;
    let (program, arguments) = command.split_first().context("a command without a program")?;
    match Command::new(program).args(arguments).envs(environment).status() {
        Ok(status) => Ok(status.code().unwrap_or(ENDED_BY_SIGNAL)),
        Err(error) => {
            writeln!(io::stdout(), "cannot start {program}: {error}")?;
            Ok(NOT_FOUND)
        }
    }
}
