// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Builds the programs of this workspace that other commands start, and hands over to them.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use toolchain::Compiler;

use crate::architecture::Architecture;
use crate::run::{ask, cargo, exec, say, shown};
use crate::workspace::{Workspace, root};

/// Names the `interceptor` program that tests, the demo and the benchmark use.
pub(crate) const INTERCEPTOR_BIN: &str = "INTERCEPTOR_BIN";

/// What tests and the demo start as processes of their own.
pub(crate) const STARTED_BY_TESTS: [&str; 9] = [
    "interceptor",
    "interceptor-agent",
    "interceptor-cluster",
    "interceptor-cni",
    "interceptor-http",
    "interceptor-probe",
    "interceptor-sidecar",
    "interceptor-verify",
    "interceptor-webhook",
];

/// The plugin is copied to every node: `Cargo.toml` says how it is made small.
pub(crate) const PLUGIN: &str = "interceptor-cni";

/// What users get: `interceptor`, the programs that it starts by name, and the plugin. Each has a package of its own.
pub(crate) const SHIPPED: [&str; 6] = [
    "interceptor",
    "interceptor-agent",
    PLUGIN,
    "interceptor-inject",
    "interceptor-verify",
    "interceptor-webhook",
];

/// Builds programs of these packages, linked with nothing that a node or an image might lack, and returns where each
/// is.
pub(crate) fn static_build(
    programs: &[&'static str],
    architecture: Architecture,
) -> Result<Vec<(&'static str, PathBuf)>> {
    let (triple, target) = (triple(architecture)?, Workspace::load()?.target_dir);
    let is_foreign = architecture.is_foreign()?;
    let mut built = Vec::new();
    for (profile, is_its) in [("image", false), ("plugin", true)] {
        let packages: Vec<_> = programs.iter().filter(|program| (**program == PLUGIN) == is_its).collect();
        if packages.is_empty() {
            continue;
        }
        let mut command = cargo(["build", "--locked", "--profile", profile]);
        command.args(packages.iter().flat_map(|package| ["--package", package]));
        command.env("CARGO_ENCODED_RUSTFLAGS", static_flags()?.join("\x1f"));
        if is_foreign {
            across(&mut command, architecture);
        } else {
            command.args(["--target", &triple]);
        }
        exec(command.current_dir(root()))
            .context("cannot build static programs; besides a C linker, they need libc.a (libc6-dev)")?;
        let folder = target.join(&triple).join(profile);
        built.extend(packages.iter().map(|program| (**program, folder.join(program))));
    }
    Ok(built)
}

/// Both for static programs and for the same programs on every machine.
fn static_flags() -> Result<Vec<String>> {
    let compiler = Compiler::ask(&rustc()).context("cannot ask rustc for its version")?;
    let home = toolchain::cargo_home().context("cannot find the home of cargo: set HOME, or CARGO_HOME")?;
    let mut flags = vec!["-Ctarget-feature=+crt-static".to_owned()];
    flags.extend(toolchain::same_paths_everywhere(root(), &home, &compiler.sysroot));
    Ok(flags)
}

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

/// Builds the program with the next version of the ABI, which stories take beside the program under test.
pub(crate) fn next_abi_command() -> Command {
    let mut command = host_cargo("build");
    command.args(["--bin", "interceptor-other-abi", "--features", "interceptor/other-abi"]);
    command
}

/// Builds what tests start.
pub(crate) fn build_command() -> Command {
    let mut command = host_cargo("build");
    command.args(STARTED_BY_TESTS.iter().flat_map(|program| ["--bin", program]));
    command
}

/// Lets cargo build for machines of another architecture than this one's.
pub(crate) fn across(command: &mut Command, architecture: Architecture) {
    let target = architecture.target();
    let linker = format!("CARGO_TARGET_{}_LINKER", target.to_uppercase().replace('-', "_"));
    command.args(["--target", target]).env(linker, architecture.tool("gcc"));
}

/// The target of programs for `architecture`.
pub(crate) fn triple(architecture: Architecture) -> Result<String> {
    if architecture.is_foreign()? {
        Ok(architecture.target().to_owned())
    } else {
        host_triple()
    }
}

/// The triple of this machine. With a triple, cargo gives the flags to the program and not to build scripts.
pub(crate) fn host_triple() -> Result<String> {
    let about = ask(Command::new(rustc()).arg("-vV"))?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc -vV` does not name the host")
}

/// The compiler that cargo uses.
pub(crate) fn rustc() -> OsString {
    std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_is_shipped_are_the_program_those_that_it_starts_and_the_plugin() {
        let folder = root().join("interceptor/src/cli");
        let mut wanted = BTreeSet::from(["interceptor".to_owned(), PLUGIN.to_owned()]);
        for file in ["mod.rs", "render.rs"] {
            let text = std::fs::read_to_string(folder.join(file)).unwrap();
            let started = text.split("sibling::run(\"").skip(1);
            wanted.extend(started.map(|rest| format!("interceptor-{}", rest.split('"').next().unwrap())));
        }
        assert_eq!(SHIPPED.map(str::to_owned).into_iter().collect::<BTreeSet<_>>(), wanted);
        let workspace = Workspace::load().unwrap();
        assert!(SHIPPED.iter().all(|program| workspace.member(program).is_ok()));
    }
}
