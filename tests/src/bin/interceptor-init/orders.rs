// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What to do in the machine.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    process::{Command, ExitCode},
    time::{Duration, Instant},
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
    /// Programs with their arguments, one after the other.
    commands: Vec<Vec<String>>,
}

/// Runs all commands, also after one that failed. The exit code is that of the first that failed.
pub(crate) fn carry_out() -> Result<ExitCode> {
    let text = fs::read_to_string(PATH).with_context(|| format!("read {PATH}"))?;
    let Orders { environment, commands } = serde_json::from_str(&text).with_context(|| format!("make sense of {PATH}"))?;
    let up = Command::new("ip").envs(&environment).args(["link", "set", "lo", "up"]).status().context("start ip")?;
    anyhow::ensure!(up.success(), "bring lo up: {up}");

    let mut done: Vec<(String, Duration, i32)> = Vec::new();
    for command in commands {
        let line = command.join(" ");
        writeln!(io::stdout(), "\n# {line}")?;
        let start = Instant::now();
        let code = run(&command, &environment)?;
        done.push((line, start.elapsed(), code));
    }
    if done.len() > 1 {
        writeln!(io::stdout())?;
        for (line, time, code) in &done {
            let verdict = if *code == 0 { "ok".to_owned() } else { format!("exit code {code}") };
            writeln!(io::stdout(), "{:>7.1} s  {verdict:<14} {line}", time.as_secs_f64())?;
        }
    }
    let failed = done.iter().map(|(_, _, code)| *code).find(|code| *code != 0).unwrap_or_default();
    Ok(ExitCode::from(u8::try_from(failed).unwrap_or(u8::MAX)))
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
