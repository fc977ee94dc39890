// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The flag `--bpffs` of all commands that look at what is pinned. It changes nothing.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::{EnrollError, Node};

#[derive(Args, Debug)]
pub(super) struct BpffsFlag {
    /// Where the BPF file system is mounted
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/bpf")]
    bpffs: PathBuf,
}

impl BpffsFlag {
    pub(super) fn open(&self) -> Result<Node, EnrollError> {
        Node::open(&self.bpffs)
    }

    pub(super) fn path(&self) -> &Path {
        &self.bpffs
    }
}
