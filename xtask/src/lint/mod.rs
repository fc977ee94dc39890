// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask lint`: the format, the lints for the host and for the kernel, the documentation, and this project's
//! own rules.

mod circles;
mod dependencies;
mod files;
mod floors;
mod imports;
mod rules;
mod source;
mod style;
mod tokens;
mod variables;

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use toolchain::{Compiler, kernel_compiler};

use crate::run::{cargo, exec};
use crate::setup::{self, Purpose};
use crate::workspace::Workspace;

pub(crate) fn run() -> Result<()> {
    setup::check(Purpose::Lint)?;
    let workspace = Workspace::load()?;
    rules::check(&workspace)?;
    let root = &workspace.root;
    exec(cargo(["fmt", "--all", "--check"]).current_dir(root))?;
    let host = ["--workspace", "--exclude", "interceptor-ebpf"];
    exec(
        cargo(["clippy"])
            .args(host)
            .args(["--all-targets", "--", "-D", "warnings"])
            .current_dir(root),
    )?;
    // The command `interceptor` turns on all features, so the workspace does not show what other front ends get.
    for features in [&["--features", "records"][..], &[]] {
        exec(
            cargo(["clippy", "--package", "interceptor", "--lib", "--no-default-features"])
                .args(features)
                .args(["--", "-D", "warnings"])
                .current_dir(root),
        )?;
    }
    exec(&mut kernel_clippy(&workspace)?)?;
    exec(
        cargo(["doc", "--no-deps"])
            .args(host)
            .env("RUSTDOCFLAGS", "-Dwarnings")
            .current_dir(root),
    )
}

/// Clippy for the kernel programs, with the compiler, the features and the flags of `interceptor/build.rs`.
fn kernel_clippy(workspace: &Workspace) -> Result<Command> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let in_use = Compiler::ask(&rustc).with_context(|| format!("cannot ask `{}` for its version", rustc.display()))?;
    let compiler = kernel_compiler(&in_use).context("no compiler has the source of `core`. Run `cargo xtask setup`")?;

    // `cargo clippy` would start the clippy of the compiler in use, which cannot read another compiler's `core`.
    let mut command = Command::new(compiler.sysroot.join("bin/cargo-clippy"));
    command.args(["clippy", "--package", "interceptor-ebpf", "--release", "--all-features"]);
    command
        .args(["--target", "bpfel-unknown-none", "-Zbuild-std=core", "--target-dir"])
        .arg(workspace.target_dir.join("bpf-lint"));
    command.args(["--", "-D", "warnings"]);
    command.env("RUSTC", &compiler.rustc).env("RUSTC_BOOTSTRAP", "1");
    command.env(
        "CARGO_ENCODED_RUSTFLAGS",
        format!("--cfg=bpf_target_arch=\"{}\"", std::env::consts::ARCH),
    );
    command.current_dir(Path::new(&workspace.root));
    Ok(command)
}
