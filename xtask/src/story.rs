// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask story`: runs some stories, once or many times. Never lints, and installs nothing.

use anyhow::{Result, bail, ensure};

use crate::programs::{self, INTERCEPTOR_BIN, host_cargo};
use crate::run::{ask, exec, say};
use crate::setup::{self, Purpose};
use crate::suite;
use crate::user::require_root;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask story sidecar_restart
  cargo xtask story sidecar_restart::new_connections --repeat 50 --keep")]
pub(crate) struct Options {
    /// Run the stories whose name contains this text
    name: String,
    /// Run them this many times, and say how many runs failed
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Keep the namespaces and files of a story that failed, and print how to enter them
    #[arg(long)]
    keep: bool,
}

/// The suite with one test per story.
const STORIES: &str = "stories";

/// Tells the tests to leave everything where it is when they fail.
const KEEP: &str = "INTERCEPTOR_TEST_KEEP";

pub(crate) fn run(options: &Options) -> Result<()> {
    let Options { name, repeat, keep } = options;
    require_root("a story", &format!("story {name}"))?;
    setup::check(Purpose::Test)?;
    let folder = programs::build(&[])?;
    exec(&mut programs::next_abi_command())?;
    if tests_with(STORIES, name)?.is_empty() {
        bail!(elsewhere(name)?);
    }
    repeated(*repeat, || {
        let mut command = host_cargo("test");
        command.args(["--test", STORIES, "--", name]);
        command.env(INTERCEPTOR_BIN, folder.join("interceptor"));
        if *keep {
            command.env(KEEP, "1");
        }
        exec(&mut command)
    })
}

/// Does something `times` times, and fails if that failed at least once.
fn repeated(times: u32, mut once: impl FnMut() -> Result<()>) -> Result<()> {
    let mut failed = Vec::new();
    for run in 1..=times {
        if times > 1 {
            say(&format!("\n== run {run} of {times}"));
        }
        if let Err(error) = once() {
            say(&format!("{error:#}"));
            failed.push(run.to_string());
        }
    }
    if times > 1 {
        say(&format!("\n{} of {times} runs failed", failed.len()));
    }
    ensure!(failed.is_empty(), "these runs failed: {}", failed.join(", "));
    Ok(())
}

/// The names of the tests of a suite that contain `text`.
fn tests_with(suite: &str, text: &str) -> Result<Vec<String>> {
    // The first command shows its progress, and the second has nothing left to build.
    exec(host_cargo("test").args(["--no-run", "--test", suite]))?;
    let list = ask(host_cargo("test").args(["--quiet", "--test", suite, "--", "--list"]))?;
    Ok(listed(&list).filter(|name| name.contains(text)).map(str::to_owned).collect())
}

/// The names in what a test program writes after `--list`.
fn listed(list: &str) -> impl Iterator<Item = &str> {
    list.lines().filter_map(|line| line.strip_suffix(": test"))
}

/// Which other suite has tests whose names contain `text`.
fn elsewhere(text: &str) -> Result<String> {
    let mut found = Vec::new();
    for suite in suite::targets()? {
        let tests = if suite == STORIES { Vec::new() } else { tests_with(&suite, text)? };
        if let Some(first) = tests.first() {
            found.push(format!("the suite {suite} has {}, such as {first}", tests.len()));
        }
    }
    let others = if found.is_empty() {
        "no test of the other suites has it, either".to_owned()
    } else {
        format!("{}. `cargo xtask test {text}` runs these", found.join("; "))
    };
    Ok(format!("no story has `{text}` in its name; {others}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_the_list_of_a_test_program() {
        let list = "a::b: test\nc: benchmark\nd::e: test\n\n2 tests, 1 benchmarks\n";
        assert_eq!(listed(list).collect::<Vec<_>>(), ["a::b", "d::e"]);
    }

    #[test]
    fn one_failure_of_many_is_a_failure() {
        let mut run = 0;
        let error = repeated(3, || {
            run += 1;
            ensure!(run != 2, "because");
            Ok(())
        });
        assert_eq!(error.unwrap_err().to_string(), "these runs failed: 2");
        assert_eq!(run, 3);
        assert!(repeated(2, || Ok(())).is_ok());
    }
}
