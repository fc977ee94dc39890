// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask bench`: builds with all optimizations, and hands over to `interceptor-bench`, which measures.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::run::{cargo, exec, say};
use crate::test::is_root;
use crate::workspace::{Workspace, root};

#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// What `interceptor-bench` takes: --quick, --only NAME, --rounds N, --out DIR, --seed S; --help explains them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTION")]
    options: Vec<String>,
}

const NEEDS_ROOT: &str = "the benchmark makes network namespaces and loads kernel programs, so it needs root: run \
                          `sudo -E env \"PATH=$PATH\" cargo xtask bench`";

pub(crate) fn run(options: &Options) -> Result<()> {
    if !is_root()? {
        bail!(NEEDS_ROOT);
    }
    // Apart from each other: together, they would be built with other features than each has alone.
    for package in ["interceptor", "interceptor-tests", "interceptor-bench"] {
        exec(cargo(["build", "--release", "--bins", "--package", package]).current_dir(root()))?;
    }

    let programs = Workspace::load()?.target_dir.join("release");
    let bench = programs.join("interceptor-bench");
    say(&format!("$ {} {}", bench.display(), options.options.join(" ")));
    // It takes the place of this program, so that Ctrl-C ends it alone and the shell waits until it has cleaned up.
    let error = Command::new(&bench)
        .args(&options.options)
        .env("INTERCEPTOR_BIN", programs.join("interceptor"))
        .exec();
    Err(error).with_context(|| format!("cannot start {}", bench.display()))
}
