// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The flag `--bpffs` of all commands that look at what is pinned. It changes nothing.

use std::path::{Path, PathBuf};

use clap::Args;
use interceptor_config::BPFFS_VARIABLE;

use crate::{EnrollError, Node};

#[derive(Args, Debug)]
pub(super) struct BpffsFlag {
    /// Where the BPF file system is mounted
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/bpf", env = BPFFS_VARIABLE, hide_env_values = true)]
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

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;

    #[test]
    fn a_container_whose_arguments_stay_istios_is_told_by_a_variable() {
        let command = BpffsFlag::augment_args(Command::new("interceptor"));
        let flag = command
            .get_arguments()
            .find(|argument| argument.get_long() == Some("bpffs"))
            .unwrap();
        assert_eq!(flag.get_env(), Some(BPFFS_VARIABLE.as_ref()));
    }
}
