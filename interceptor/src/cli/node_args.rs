// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The flags of commands that change what is pinned on this node.

use std::{path::Path, time::Duration};

use clap::Args;

use super::bpffs::BpffsFlag;
use crate::{EnrollError, Node};

/// Where pins are, and how long to wait for others that write them.
#[derive(Args, Debug)]
pub(super) struct NodeArgs {
    #[command(flatten)]
    bpffs: BpffsFlag,

    /// How many seconds to wait for another run on this node to end
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    lock_timeout: Duration,
}

impl NodeArgs {
    pub(super) fn open(&self) -> Result<Node, EnrollError> {
        self.bpffs.open()
    }

    pub(super) fn bpffs(&self) -> &Path {
        self.bpffs.path()
    }

    pub(super) fn wait(&self) -> Duration {
        self.lock_timeout
    }
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().map_err(|_not_a_number| "write a number of seconds, such as 10")?;
    Ok(Duration::from_secs(seconds))
}
