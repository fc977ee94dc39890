// SPDX-License-Identifier: Apache-2.0 OR MIT
use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;

use super::output;
use crate::kernel::{enroll::plan as enrollment, node::bpffs::Bpffs, pod::netns::Netns};

/// End the interception of a pod, or of all
///
/// Established connections go on; new ones go where they are sent.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  interceptor clean --netns /run/netns/web
  interceptor clean --all")]
pub(super) struct CleanArgs {
    #[command(flatten)]
    which: Which,

    /// A mounted BPF file system
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/bpf")]
    bpffs: PathBuf,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Which {
    /// Network namespace of the pod
    #[arg(long, value_name = "PATH")]
    netns: Option<PathBuf>,

    /// Every pod of the node, and everything that any version has pinned
    #[arg(long)]
    all: bool,
}

pub(super) fn run(args: &CleanArgs) -> Result<ExitCode> {
    let CleanArgs { which: Which { netns, all: _ }, bpffs } = args;
    let (existed, what) = match netns {
        Some(path) => {
            let netns = Netns::open(path)?;
            (
                enrollment::clean(&Bpffs::open(bpffs)?, netns.cookie())?,
                path.display().to_string(),
            )
        }
        None => (enrollment::clean_all(&Bpffs::open(bpffs)?)?, "every pod".to_owned()),
    };
    output::text(if existed {
        format!("Ended the interception of {what}")
    } else {
        format!("Nothing to do: {what} was not enrolled")
    });
    Ok(ExitCode::SUCCESS)
}
