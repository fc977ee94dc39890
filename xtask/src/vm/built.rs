// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What cargo builds for the machine.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::run::{ask, cargo, exec};
use crate::workspace::root;

/// Executable files by the names of their targets.
pub(super) struct Built {
    pub(super) programs: BTreeMap<String, PathBuf>,
    pub(super) tests: BTreeMap<String, PathBuf>,
}

/// Builds `interceptor`, and all test programs with what they start.
pub(super) fn build() -> Result<Built> {
    const INTERCEPTOR: &[&str] = &["build", "--package", "interceptor"];
    const TESTS: &[&str] = &["test", "--package", "interceptor-tests", "--no-run"];
    let mut built = Built { programs: BTreeMap::new(), tests: BTreeMap::new() };
    for command in [INTERCEPTOR, TESTS] {
        // The first run shows how it goes, the second has nothing to do but to tell what came of it.
        exec(cargo([]).args(command).current_dir(root()))?;
        let told = ask(cargo([]).args(command).arg("--message-format=json").current_dir(root()))?;
        told.lines().try_for_each(|line| built.note(line))?;
    }
    Ok(built)
}

impl Built {
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
            format!(
                r#"{{"target":{{"kind":["{kind}"],"name":"{name}"}},"profile":{{"test":{test}}},"executable":{executable}}}"#
            )
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
