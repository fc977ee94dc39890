// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Shows what Interceptor does, on two pods made for the purpose, and checks every sentence that it prints about
//! them.
//!
//! Exits with 1 as soon as anything differs from what it says. Takes everything away again, also then, and after
//! Ctrl-C.

mod application;
mod chain;
mod cluster;
mod rules;
mod sidecar;
mod stage;
mod status;
mod story;
mod tell;

use std::{path::PathBuf, process::ExitCode, time::Instant};

use clap::Parser;
use nix::unistd::geteuid;
use testkit::{Interrupt, Node, envoy::Binary};

use crate::{sidecar::Kind, stage::Stage, tell::Tell};

/// Shows two pods with sidecars and no iptables rule, and checks every sentence of it.
#[derive(Parser)]
#[command(version, after_help = "Example:\n  interceptor-demo --envoy")]
struct Arguments {
    /// With real Envoys in place of the small sidecars
    #[arg(long)]
    envoy: bool,
    /// On a Kubernetes node of its own, installed by the Helm chart, with real Envoys
    #[arg(long, conflicts_with = "envoy")]
    cluster: bool,
    /// With this archive of `cargo xtask image`, in place of programs of the debug build
    #[arg(long, value_name = "ARCHIVE", requires = "cluster")]
    image: Option<PathBuf>,
}

const NEEDS_ROOT: &str = "the demo makes network namespaces and loads kernel programs, so it needs root: run \
                          `sudo -E env \"PATH=$PATH\" cargo xtask demo`";

#[expect(clippy::print_stderr, reason = "the last words of a program that fails")]
fn main() -> ExitCode {
    let Arguments { envoy, cluster, image } = Arguments::parse();
    let kind = || if envoy { Kind::Envoy(Binary::newest()) } else { Kind::Small };
    let told = match geteuid().is_root() {
        true if cluster => cluster::run(image.as_deref()),
        true => run(kind()),
        false => Err(anyhow::anyhow!(NEEDS_ROOT)),
    };
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(kind: Kind) -> anyhow::Result<()> {
    let start = Instant::now();
    let mut tell = Tell::new(Interrupt::watch()?);
    let made = on_stage(&mut tell, kind)?;
    tell.step("Everything is taken away")?;
    for path in made {
        tell.holds(format!("{} is gone", path.display()), &path.exists(), &false)?;
    }
    tell.end(start.elapsed())
}

/// What the stage was made of: all of it is gone when this returns, however it returns.
fn on_stage(tell: &mut Tell, kind: Kind) -> anyhow::Result<Vec<PathBuf>> {
    let node = Node::new();
    let mut stage = Stage::new(&node, kind);
    story::tell(tell, &mut stage)?;
    Ok(stage.made())
}
