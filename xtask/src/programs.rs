// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Builds the programs of this workspace that other commands start, and hands over to them.

use std::convert::Infallible;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::run::{ask, cargo, exec, say, shown};
use crate::workspace::{Workspace, root};

/// Names the `interceptor` program that tests, the demo and the benchmark use.
pub(crate) const INTERCEPTOR_BIN: &str = "INTERCEPTOR_BIN";

/// What tests and the demo start as processes of their own.
pub(crate) const STARTED_BY_TESTS: [&str; 7] = [
    "interceptor",
    "interceptor-agent",
    "interceptor-cluster",
    "interceptor-cni",
    "interceptor-http",
    "interceptor-probe",
    "interceptor-sidecar",
];

/// `cargo SUBCOMMAND` for all packages but the kernel programs, which `interceptor/build.rs` builds for the kernel.
///
/// cargo gives a dependency the features that all packages of one command ask for together, and compiles it again for
/// other features. So every command that does not measure asks for the same packages, and names what it wants of
/// them.
pub(crate) fn host_cargo(subcommand: &str) -> Command {
    let mut command = cargo([subcommand, "--workspace", "--exclude", "interceptor-ebpf"]);
    command.current_dir(root());
    command
}

/// Builds what tests start and these programs too, and returns the folder that holds all of them.
pub(crate) fn build(more: &[&str]) -> Result<PathBuf> {
    exec(build_command().args(more.iter().flat_map(|program| ["--bin", program])))?;
    Ok(Workspace::load()?.target_dir.join("debug"))
}

/// Builds what tests start.
pub(crate) fn build_command() -> Command {
    let mut command = host_cargo("build");
    command.args(STARTED_BY_TESTS.iter().flat_map(|program| ["--bin", program]));
    command
}

/// The triple of this machine. With a triple, cargo gives the flags to the program and not to build scripts.
pub(crate) fn host_triple() -> Result<String> {
    let about = ask(Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("-vV"))?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc -vV` does not name the host")
}

/// Replaces this process by `program`, so that Ctrl-C ends that program alone, and the shell waits until it has
/// cleaned up. Returns only if that fails.
pub(crate) fn hand_over(folder: &Path, program: &str, arguments: &[String]) -> Result<Infallible> {
    let path = folder.join(program);
    let mut command = Command::new(&path);
    command.args(arguments);
    say(&format!("$ {}", shown(&command)));
    let error = command.env(INTERCEPTOR_BIN, folder.join("interceptor")).exec();
    Err(error).with_context(|| format!("cannot start {}", path.display()))
}
