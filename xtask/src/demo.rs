// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask demo`: builds, and hands over to `interceptor-demo`, which makes the pods and checks what it says.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

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
    /// Install the chart on a Kubernetes node that is made for it, use it, and uninstall it, with real Envoys
    #[arg(long, conflicts_with = "envoy")]
    cluster: bool,
    /// Use this archive of `cargo xtask image`; without it, the node gets programs of the debug build
    #[arg(long, value_name = "ARCHIVE", requires = "cluster")]
    image: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    require_root("the demo", "demo")?;
    setup::run(&setup::Options::of_command(options.no_install, options.suites()))?;
    match hand_over(&build(&["interceptor-demo"])?, "interceptor-demo", &options.arguments()?)? {}
}

impl Options {
    /// What is needed besides what every test needs.
    fn suites(&self) -> &[Suite] {
        match self {
            Self { cluster: true, .. } => &[Suite::Envoy, Suite::Chart, Suite::Cluster],
            Self { envoy: true, .. } => &[Suite::Envoy],
            _ => &[],
        }
    }

    /// Those of `interceptor-demo`.
    fn arguments(&self) -> Result<Vec<String>> {
        let flags = [("--envoy", self.envoy), ("--cluster", self.cluster)];
        let mut arguments: Vec<_> = flags.iter().filter(|(_, on)| *on).map(|(flag, _)| (*flag).to_owned()).collect();
        if let Some(image) = &self.image {
            let path = image
                .canonicalize()
                .with_context(|| format!("no archive {}", image.display()))?;
            arguments.extend(["--image".to_owned(), path.display().to_string()]);
        }
        Ok(arguments)
    }
}
