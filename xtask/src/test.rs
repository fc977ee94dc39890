// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask test`: everything that has to pass, in the order in which failures are cheapest.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::programs::{self, INTERCEPTOR_BIN, host_cargo};
use crate::run::{exec, say};
use crate::suite::{self, Suite};
use crate::user::{is_root, require_root};
use crate::vm::{self, Extent, Version};
use crate::workspace::Workspace;
use crate::{image, lint, setup};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Fail when something is missing instead of installing it
    #[arg(long)]
    no_install: bool,
    /// Leave a suite out, and do not install what only that needs; may be repeated
    #[arg(long, value_name = "SUITE", value_enum)]
    without: Vec<Suite>,
    /// Run the root suite under Debian's cloud kernel of this version, in a virtual machine, and nothing else; may be
    /// repeated
    #[arg(long, value_name = "VERSION", conflicts_with = "without")]
    kernel: Vec<Version>,
    /// Run only the tests whose name contains this text, and do not lint
    filter: Option<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if options.kernel.is_empty() { here(options) } else { elsewhere(options) }
}

/// Under other kernels only, but everything there.
fn elsewhere(options: &Options) -> Result<()> {
    let mut stages = Stages { say, done: Vec::new() };
    stages.run("setup", || {
        setup::run(&setup::Options::of_command(options.no_install, &[Suite::Kernels]))?;
        vm::fetch(&options.kernel, options.no_install)
    })?;
    stages.run("other kernels", || {
        vm::test(&options.kernel, Extent::All, options.filter.as_deref())
    })?;
    stages.report();
    Ok(())
}

fn here(options: &Options) -> Result<()> {
    if !is_root()? {
        say("note: not root, so the last stage will fail; the stages before it do not need root");
    }
    let filter = options.filter.as_deref();
    let mut stages = Stages { say, done: Vec::new() };
    let suites = Suite::all_but(&options.without);
    let kernels = suites.contains(&Suite::Kernels);
    stages.run("setup", || {
        setup::run(&setup::Options::of_command(options.no_install, &suites))?;
        if kernels { vm::fetch(&Version::TESTED, options.no_install) } else { Ok(()) }
    })?;
    if filter.is_none() {
        stages.run("lint", lint::run)?;
    } else {
        say("\nnot run, because of the filter: lint; `cargo xtask lint` runs it");
    }
    stages.run("unit and property tests", || {
        exec(unit_tests()?.args(filter))?;
        exec(host_cargo("test").arg("--doc").args(filter))
    })?;
    if suites.contains(&Suite::Cluster) {
        stages.run("images", || {
            image::run(&image::Options::iptables()).and_then(|()| image::run(&image::Options::default()))
        })?;
    }
    stages.run("root suite", || {
        require_root("the root suite", "test")?;
        // The suite starts these programs: cargo does not build another package's programs for it.
        let folder = programs::build(&[])?;
        exec(&mut programs::next_abi_command())?;
        exec(
            root_suite(&options.without)?
                .args(filter)
                .env(INTERCEPTOR_BIN, folder.join("interceptor")),
        )
    })?;
    if kernels && filter.is_none() {
        stages.run("other kernels", || vm::test(&Version::TESTED, Extent::Part, None))?;
    } else if kernels {
        say("\nnot run, because of the filter: other kernels; `--kernel` takes one");
    }
    for suite in &options.without {
        say(&format!("\nleft out: {}", suite.name()));
    }
    stages.report();
    Ok(())
}

/// Tests inside the packages, and those beside them that are no suite. None of them needs root.
fn unit_tests() -> Result<Command> {
    let mut command = host_cargo("test");
    command.args(["--lib", "--bins"]);
    for member in Workspace::load()?.members.iter().filter(|member| member.name != suite::PACKAGE) {
        command.args(member.tests.iter().flat_map(|test| ["--test", test]));
    }
    Ok(command)
}

/// All suites, or all but those `without`. cargo can only be told what to run, not what to leave out.
fn root_suite(without: &[Suite]) -> Result<Command> {
    let mut command = host_cargo("test");
    for test in suite::targets()? {
        if !without.iter().any(|suite| suite.target() == Some(&test)) {
            command.args(["--test", &test]);
        }
    }
    Ok(command)
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
    use anyhow::bail;

    use super::*;

    #[test]
    fn a_suite_is_left_out_by_name_and_nothing_else_is() {
        let arguments = |without: &[Suite]| -> Vec<String> {
            root_suite(without)
                .unwrap()
                .get_args()
                .map(|argument| argument.to_string_lossy().into_owned())
                .collect()
        };
        let (all, rest) = (arguments(&[]), arguments(&[Suite::Envoy]));
        assert!(all.ends_with(&["--test".to_owned(), "webhook".to_owned()]), "{all:?}");
        assert_eq!(rest.len() + 2, all.len());
        assert!(
            all.contains(&"envoy".to_owned()) && !rest.contains(&"envoy".to_owned()),
            "{rest:?}"
        );
    }

    #[test]
    fn a_failing_stage_is_timed_and_named() {
        let mut stages = Stages { say: |_| {}, done: Vec::new() };
        stages.run("first", || Ok(())).unwrap();
        let error = stages.run("second", || bail!("because")).unwrap_err();
        assert_eq!(format!("{error:#}"), "stage `second` failed: because");
        assert_eq!(
            stages.done.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
            ["first", "second"]
        );
    }
}
