// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask demo`: builds, and hands over to `interceptor-demo`, which makes the pods and checks what it says.

use anyhow::Result;

use crate::programs::{build, hand_over};
use crate::setup;
use crate::suite::Suite;
use crate::user::require_root;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Fail when something is missing instead of installing it
    #[arg(long)]
    no_install: bool,
    /// Use real Envoys instead of the small sidecars
    #[arg(long)]
    envoy: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    require_root("the demo", "demo")?;
    let suites: &[Suite] = if options.envoy { &[Suite::Envoy] } else { &[] };
    setup::run(&setup::Options::of_command(options.no_install, suites))?;
    let arguments: &[String] = if options.envoy { &["--envoy".into()] } else { &[] };
    match hand_over(&build(&["interceptor-demo"])?, "interceptor-demo", arguments)? {}
}
