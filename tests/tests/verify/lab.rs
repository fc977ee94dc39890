// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Runs of the command.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;
use testkit::{Run, interceptor_binary, profile_directory};

/// Istio's default flags, as `istio-init` gives them.
pub(crate) const DEFAULT: &[&str] = &["-u", "1337", "-i", "*", "-b", "*", "-d", "15090,15021,15020"];

/// What is used of the report.
#[derive(Debug, Deserialize)]
pub(crate) struct Report {
    pub(crate) verdict: String,
    pub(crate) comparisons: Vec<Comparison>,
    pub(crate) unknown: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Comparison {
    pub(crate) pods: Vec<String>,
    pub(crate) configuration: String,
    pub(crate) iptables: String,
    pub(crate) written: usize,
    pub(crate) random: usize,
    pub(crate) differences: Vec<Differing>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Differing {
    pub(crate) connection: String,
    pub(crate) seen: Option<serde_json::Value>,
}

/// `interceptor-verify ARGUMENTS`, for the loader under test.
pub(crate) fn command<S: AsRef<str>>(arguments: &[S]) -> Command {
    let mut command = Command::new(program());
    command.args(arguments.iter().map(AsRef::as_ref));
    if !arguments.iter().any(|argument| argument.as_ref() == "--interceptor") {
        command.arg("--interceptor").arg(interceptor_binary());
    }
    command.stdin(Stdio::null());
    command
}

pub(crate) fn program() -> PathBuf {
    profile_directory().join("interceptor-verify")
}

/// Runs it, and reads the report that it writes for programs.
pub(crate) fn report(arguments: &[&str]) -> (Run, Report) {
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("report.json");
    let file_name = file.display().to_string();
    // A run may take minutes on a busy machine, and has limits of its own.
    let output = command(&[arguments, &["--report", &file_name]].concat())
        .output()
        .expect("run the program");
    let run = Run::of_output(&output);
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("no report: {error}\n{run}"));
    let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
    (run, report)
}

/// A loader that adds `flags` to those that it is given, as one would do that misreads them.
pub(crate) fn misreading_loader(folder: &Path, flags: &str) -> PathBuf {
    let path = folder.join("interceptor");
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = istio-iptables ] && set -- \"$@\" {flags}\nexec {} \"$@\"\n",
        interceptor_binary().display()
    );
    // Another process writes it: what this one has open for writing, no process can run.
    let mut write = Command::new("sh");
    write.args(["-c", "cat > \"$0\" && chmod 755 \"$0\""]).arg(&path);
    Run::with_input(write, &script).expect_success();
    assert_eq!(fs::metadata(&path).expect("the script").permissions().mode() & 0o777, 0o755);
    path
}
