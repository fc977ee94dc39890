// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask differential`: builds, and hands over to `interceptor-differential`, which compares with the rules of
//! Istio.

use std::path::PathBuf;

use anyhow::Result;

use crate::programs::{build, hand_over};
use crate::user::require_root;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Random configurations to try after the written ones; each comes with up to 40 connections
    #[arg(long, value_name = "N", default_value_t = 200)]
    cases: u32,
    /// Seed of the random choices; the same seed tries the same cases [default: another one each time]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Which iptables loads the rules
    #[arg(long, value_name = "NAME", default_value = "both", value_parser = ["legacy", "nft", "both"])]
    backend: String,
    /// Try the cases of a file, written as they are printed when they differ, and no others
    #[arg(long, value_name = "FILE", conflicts_with_all = ["cases", "seed"])]
    list: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    require_root("the differential test", "differential")?;
    let folder = build(&["interceptor-differential"])?;
    let Options { cases, seed, backend, list } = options;
    let mut arguments = vec!["--backend".to_owned(), backend.clone()];
    match list {
        Some(list) => arguments.extend(["--list".to_owned(), list.display().to_string()]),
        None => arguments.extend(["--cases".to_owned(), cases.to_string()]),
    }
    arguments.extend(seed.iter().flat_map(|seed| ["--seed".to_owned(), seed.to_string()]));
    match hand_over(&folder, "interceptor-differential", &arguments)? {}
}
