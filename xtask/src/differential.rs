// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask differential`: builds, and hands over to `interceptor-differential`, which compares with the rules of
//! Istio.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::run::{cargo, exec, say};
use crate::test::is_root;
use crate::workspace::{Workspace, root};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Random configurations to try after the written ones; each comes with up to 40 connections
    #[arg(long, value_name = "N", default_value_t = 200)]
    cases: u32,
    /// Where chance begins; the same seed tries the same cases [default: another one each time]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Which iptables loads the rules
    #[arg(long, value_name = "NAME", default_value = "both", value_parser = ["legacy", "nft", "both"])]
    backend: String,
    /// Try the cases of a file, written as they are printed when they differ, and no others
    #[arg(long, value_name = "FILE", conflicts_with_all = ["cases", "seed"])]
    list: Option<PathBuf>,
}

const NEEDS_ROOT: &str = "the differential test makes network namespaces and loads kernel programs, so it needs root: run \
                          `sudo -E env \"PATH=$PATH\" cargo xtask differential`";

pub(crate) fn run(options: &Options) -> Result<()> {
    if !is_root()? {
        bail!(NEEDS_ROOT);
    }
    // Apart from each other, as `test` builds them: together, they would be built with other features, and so once
    // more.
    exec(cargo(["build", "--package", "interceptor"]).current_dir(root()))?;
    exec(cargo(["build", "--package", "interceptor-tests", "--bins"]).current_dir(root()))?;

    let programs = Workspace::load()?.target_dir.join("debug");
    let differential = programs.join("interceptor-differential");
    let Options { cases, seed, backend, list } = options;
    let mut arguments = vec!["--backend".to_owned(), backend.clone()];
    match list {
        Some(list) => arguments.extend(["--list".to_owned(), list.display().to_string()]),
        None => arguments.extend(["--cases".to_owned(), cases.to_string()]),
    }
    arguments.extend(seed.iter().flat_map(|seed| ["--seed".to_owned(), seed.to_string()]));
    say(&format!("$ {} {}", differential.display(), arguments.join(" ")));
    // It takes the place of this program, so that what ends one ends both.
    let error = Command::new(&differential)
        .args(arguments)
        .env("INTERCEPTOR_BIN", programs.join("interceptor"))
        .exec();
    Err(error).with_context(|| format!("cannot start {}", differential.display()))
}
