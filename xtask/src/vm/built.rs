// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What cargo builds for the machine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::step::Step;
use crate::architecture::Architecture;
use crate::programs::{self, host_cargo};
use crate::run::{ask, exec};
use crate::suite;

/// Executable files by the names of their targets.
pub(super) struct Built {
    pub(super) programs: BTreeMap<String, PathBuf>,
    pub(super) tests: BTreeMap<String, PathBuf>,
}

/// The programs of `interceptor-tests` that run in the machine: `interceptor-init` is its first process.
const RUN_IN_THE_MACHINE: [&str; 3] = ["interceptor-demo", "interceptor-differential", "interceptor-init"];

/// Of the others, those that the verdict table and the demo start. They are few, because everything that they are made
/// of is compiled once more.
const RUN_FOREIGN: [&str; 4] = ["interceptor", "interceptor-http", "interceptor-probe", "interceptor-sidecar"];

/// Builds all suites, and the programs that they start and that are run in the machine.
pub(super) fn build() -> Result<Built> {
    let mut started = programs::build_command();
    started.args(named(&RUN_IN_THE_MACHINE));
    let mut suites = host_cargo("test");
    suites.arg("--no-run");
    for suite in suite::targets()? {
        suites.args(["--test", &suite]);
    }
    Built::by([started, programs::next_abi_command(), suites])
}

/// Builds programs for machines of another architecture, and the suite that `step` runs, if it runs one.
pub(super) fn build_foreign(architecture: Architecture, step: &Step) -> Result<Built> {
    let mut programs = host_cargo("build");
    programs.args(named(&RUN_FOREIGN)).args(named(&RUN_IN_THE_MACHINE));
    let suites = suite::targets()?.into_iter().filter(|suite| step.program() == Some(suite));
    let suites = suites.map(|suite| {
        let mut command = host_cargo("test");
        command.args(["--no-run", "--test", &suite]);
        command
    });
    Built::by([programs].into_iter().chain(suites).map(|mut command| {
        programs::across(&mut command, architecture);
        command
    }))
}

fn named(programs: &[&'static str]) -> impl Iterator<Item = &'static str> {
    programs.iter().flat_map(|program| ["--bin", program])
}

impl Built {
    fn by(commands: impl IntoIterator<Item = Command>) -> Result<Self> {
        let mut built = Self { programs: BTreeMap::new(), tests: BTreeMap::new() };
        for mut command in commands {
            // The first run shows its progress. The second has nothing left to build, and says where everything is.
            exec(&mut command)?;
            let told = ask(command.arg("--message-format=json"))?;
            told.lines().try_for_each(|line| built.note(line))?;
        }
        Ok(built)
    }

    fn note(&mut self, line: &str) -> Result<()> {
        let message: Value = serde_json::from_str(line).context("cannot read what cargo wrote")?;
        let (Some(executable), Some(name)) = (message["executable"].as_str(), message["target"]["name"].as_str())
        else {
            return Ok(()); // a library, or another kind of message
        };
        let entry = (name.to_owned(), PathBuf::from(executable));
        if message["target"]["kind"][0] == "test" {
            self.tests.extend([entry]);
        } else if message["profile"]["test"] == false {
            self.programs.extend([entry]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_programs_are_told_apart() {
        let mut built = Built { programs: BTreeMap::new(), tests: BTreeMap::new() };
        let line = |kind: &str, name: &str, test: bool, executable: &str| {
            let target = format!(r#"{{"kind":["{kind}"],"name":"{name}"}}"#);
            format!(r#"{{"target":{target},"profile":{{"test":{test}}},"executable":{executable}}}"#)
        };
        built.note(&line("test", "rows", true, "\"/t/rows-1\"")).unwrap();
        built.note(&line("bin", "probe", false, "\"/t/probe\"")).unwrap();
        built.note(&line("bin", "probe", true, "\"/t/probe-1\"")).unwrap();
        built.note(&line("lib", "library", false, "null")).unwrap();
        built.note(r#"{"reason":"build-finished","success":true}"#).unwrap();
        assert_eq!(built.tests, BTreeMap::from([("rows".to_owned(), "/t/rows-1".into())]));
        assert_eq!(built.programs, BTreeMap::from([("probe".to_owned(), "/t/probe".into())]));
    }
}
