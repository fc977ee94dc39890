// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask build`.

use anyhow::Result;

use crate::architecture::Architecture;
use crate::programs::{PLUGIN, static_build};
use crate::run::{cargo, exec, say};
use crate::setup::{self, Purpose};
use crate::workspace::{Workspace, root};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Optimize the program too; the kernel object is optimized either way
    #[arg(long)]
    release: bool,
    /// Build the CNI plugin instead: optimized for its size, and linked with nothing that a node might lack
    #[arg(long, conflicts_with = "release")]
    plugin: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if options.plugin {
        return plugin();
    }
    setup::check(Purpose::Build)?;
    let mut command = cargo(["build", "--package", "interceptor"]);
    if options.release {
        command.arg("--release");
    }
    exec(command.current_dir(root()))?;
    let (folder, remark) = if options.release {
        ("release", "")
    } else {
        ("debug", " (a debug build; --release optimizes it)")
    };
    let program = Workspace::load()?.target_dir.join(folder).join("interceptor");
    say(&format!("built {}{remark}", program.display()));
    Ok(())
}

fn plugin() -> Result<()> {
    for (_name, program) in static_build(&[PLUGIN], Architecture::here()?)? {
        say(&format!("built {}", program.display()));
    }
    Ok(())
}
