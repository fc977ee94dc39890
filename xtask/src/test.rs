// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask test`: everything that has to pass, in the order in which failures are cheapest.

use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::run::{cargo, exec, say};
use crate::workspace::root;
use crate::{lint, setup};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Fail when something is missing instead of installing it
    #[arg(long)]
    no_install: bool,
    /// Run only the tests whose name contains this text
    filter: Option<String>,
}

const NEEDS_ROOT: &str = "the root suite creates network namespaces and loads kernel programs, so it needs root: run \
                          `sudo -E env \"PATH=$PATH\" cargo xtask test`";

pub(crate) fn run(options: &Options) -> Result<()> {
    if !is_root()? {
        say("note: not root, so the last stage will fail; the stages before it do not need root");
    }
    let filter = options.filter.as_deref();
    let mut stages = Stages { say, done: Vec::new() };
    stages.run("setup", || setup::run(&setup::Options { dry_run: false, no_install: options.no_install }))?;
    stages.run("lint", lint::run)?;
    stages.run("unit and property tests", || test(&["interceptor-policy", "interceptor", "xtask"], filter))?;
    stages.run("root suite", || {
        if !is_root()? {
            bail!(NEEDS_ROOT);
        }
        // The suite runs the program itself: cargo does not build another package's program for it.
        exec(cargo(["build", "--package", "interceptor"]).current_dir(root()))?;
        test(&["interceptor-tests"], filter)
    })?;
    stages.report();
    Ok(())
}

fn test(packages: &[&str], filter: Option<&str>) -> Result<()> {
    let mut command = cargo(["test"]);
    for package in packages {
        command.args(["--package", package]);
    }
    exec(command.args(filter).current_dir(root()))
}

pub(crate) fn is_root() -> Result<bool> {
    let owner = std::fs::metadata("/proc/self").context("cannot read /proc/self to see who runs this")?.uid();
    Ok(owner == 0)
}

/// Names each stage, times it, and stops at the first that fails.
struct Stages {
    say: fn(&str),
    done: Vec<(&'static str, Duration)>,
}

impl Stages {
    fn run(&mut self, name: &'static str, stage: impl FnOnce() -> Result<()>) -> Result<()> {
        (self.say)(&format!("\n== {name}"));
        let start = Instant::now();
        let result = stage();
        self.done.push((name, start.elapsed()));
        if result.is_err() {
            self.report();
        }
        result.with_context(|| format!("stage `{name}` failed"))
    }

    fn report(&self) {
        (self.say)("\n== time");
        for (name, time) in &self.done {
            (self.say)(&format!("{name:<24} {:>7.1} s", time.as_secs_f64()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_stage_is_timed_and_named() {
        let mut stages = Stages { say: |_| {}, done: Vec::new() };
        stages.run("first", || Ok(())).unwrap();
        let error = stages.run("second", || bail!("because")).unwrap_err();
        assert_eq!(format!("{error:#}"), "stage `second` failed: because");
        assert_eq!(stages.done.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["first", "second"]);
    }
}
