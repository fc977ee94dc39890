// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask vm`: a command under another kernel, in a machine that qemu emulates. It needs no KVM, no root and no
//! network.
//!
//! The machine's file system is an archive with the programs of this workspace, those of this system that they need,
//! and the kernel's modules; its first process is `interceptor-init`. Everything is kept in `target/kernels`.

mod built;
mod foreign;
mod image;
mod kernel;
mod programs;
mod qemu;
mod step;
mod suite;
mod unpacked;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};

pub(crate) use kernel::Version;
use step::Step;
pub(crate) use suite::{Extent, test};

use crate::architecture::Architecture;
use crate::setup;
use crate::suite::Suite;
use crate::workspace::Workspace;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask vm --kernel 6.1 -- interceptor check
  cargo xtask vm --kernel 6.12 -- rows ebpf::v4
  cargo xtask vm --arch arm64 --kernel 6.1 -- interceptor check
  cargo xtask vm --kernel 6.1 -- sh -c 'uname -a; iptables-nft -t nat -S'")]
pub(crate) struct Options {
    /// Debian's cloud kernel of this version
    #[arg(long, value_name = "VERSION")]
    kernel: Version,
    /// A machine of this architecture [default: that of this one]
    #[arg(long, value_name = "ARCHITECTURE", value_enum)]
    arch: Option<Architecture>,
    /// Switch the machine off after this many minutes
    #[arg(long, value_name = "MINUTES", default_value_t = 30)]
    limit: u64,
    /// Fail when something is missing instead of installing it
    #[arg(long)]
    no_install: bool,
    /// What to run there: a program of this workspace, or one of the few others
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let architecture = options.arch.map_or_else(Architecture::here, Ok)?;
    let is_foreign = architecture.is_foreign()?;
    let wanted = setup::Options::of_command(options.no_install, &[Suite::Kernels]);
    setup::run(&if is_foreign { wanted.and_arm64() } else { wanted })?;
    kernel::fetch(options.kernel, architecture, &directory()?, options.no_install)?;
    let step = Step::new(options.command.clone());
    let built = if is_foreign {
        foreign::fetch(architecture, &directory()?, options.no_install)?;
        built::build_foreign(architecture, &step)?
    } else {
        built::build()?
    };
    let limit = Duration::from_mins(options.limit);
    boot(options.kernel, architecture, &built, &[step], limit)
}

/// Gets the kernels for this kind of machine that are not there yet.
pub(crate) fn fetch(versions: &[Version], no_install: bool) -> Result<()> {
    let here = Architecture::here()?;
    versions
        .iter()
        .try_for_each(|version| kernel::fetch(*version, here, &directory()?, no_install).map(drop))
}

fn boot(
    version: Version,
    architecture: Architecture,
    built: &built::Built,
    steps: &[Step],
    limit: Duration,
) -> Result<()> {
    let directory = directory()?;
    let kernel = kernel::fetch(version, architecture, &directory, true)?;
    let archive = image::build(&directory, &kernel, built, steps)?;
    qemu::run(&kernel, &archive, limit).with_context(|| format!("on Linux {}", kernel.release))
}

fn directory() -> Result<PathBuf> {
    Ok(Workspace::load()?.target_dir.join("kernels"))
}
