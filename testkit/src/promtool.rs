// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Prometheus's tool for alerts, `promtool`.

use std::{path::PathBuf, process::Command};

use crate::node::profile_directory;

/// `promtool` with these arguments, its output as one text if it succeeds.
///
/// # Errors
/// Its output, if it finds something wrong.
///
/// # Panics
/// If it is not there: a test without it is not a pass.
pub fn promtool(arguments: &[&str]) -> Result<String, String> {
    let program = program();
    let run = Command::new(&program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("start {}: {error}", program.display()));
    let output = [run.stdout, run.stderr]
        .map(|text| String::from_utf8_lossy(&text).into_owned())
        .concat();
    if run.status.success() { Ok(output) } else { Err(output) }
}

fn program() -> PathBuf {
    let profile = profile_directory();
    // `cargo xtask setup --chart` puts it there.
    let program = profile.parent().expect("cargo's target directory").join("promtool/promtool");
    assert!(
        program.is_file(),
        "no {}: run `cargo xtask setup --chart`, or leave out the suite chart",
        program.display()
    );
    program
}
