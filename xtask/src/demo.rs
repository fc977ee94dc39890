// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask demo`: builds, and hands over to `interceptor-demo`, which makes the pods.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::run::{cargo, exec, say};
use crate::setup;
use crate::suite::Suite;
use crate::test::is_root;
use crate::workspace::{Workspace, root};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Fail when something is missing instead of installing it
    #[arg(long)]
    no_install: bool,
    /// With real Envoys in place of the small sidecars
    #[arg(long)]
    envoy: bool,
}

const NEEDS_ROOT: &str = "the demo makes network namespaces and loads kernel programs, so it needs root: run \
                          `sudo -E env \"PATH=$PATH\" cargo xtask demo`";

pub(crate) fn run(options: &Options) -> Result<()> {
    if !is_root()? {
        bail!(NEEDS_ROOT);
    }
    let suites: &[Suite] = if options.envoy { &[Suite::Envoy] } else { &[] };
    setup::run(&setup::Options::of_command(options.no_install, suites))?;
    // Apart from each other, as `test` builds them: together, they would be built with other features, and so once
    // more.
    exec(cargo(["build", "--package", "interceptor"]).current_dir(root()))?;
    exec(cargo(["build", "--package", "interceptor-tests", "--bins"]).current_dir(root()))?;

    let programs = Workspace::load()?.target_dir.join("debug");
    let demo = programs.join("interceptor-demo");
    let arguments: &[&str] = if options.envoy { &["--envoy"] } else { &[] };
    say(&format!("$ {}", [&[&*demo.to_string_lossy()], arguments].concat().join(" ")));
    // It takes the place of this program, so that Ctrl-C ends it alone and the shell waits until it has cleaned up.
    let error = Command::new(&demo)
        .args(arguments)
        .env("INTERCEPTOR_BIN", programs.join("interceptor"))
        .exec();
    Err(error).with_context(|| format!("cannot start {}", demo.display()))
}
