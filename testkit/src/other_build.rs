// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Other builds of `interceptor` than the one under test.

use std::{env, fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command, sync::OnceLock};

use crate::{
    Node,
    interceptor::{BINARY, binary, build},
};

/// Another build of `interceptor`.
pub struct OtherBuild {
    pub program: PathBuf,
}

impl OtherBuild {
    /// The program under test with another license in its kernel object, which the kernel takes as well. To a loader it
    /// has other programs. To connections they are the same.
    pub fn on(node: &Node) -> Self {
        const LICENSE: &[u8] = b"Dual MIT/GPL\0";
        const OTHER: &[u8] = b"Dual BSD/GPL\0";
        let mut bytes = fs::read(node.interceptor()).expect("read the program");
        let places: Vec<usize> = (0..bytes.len() - LICENSE.len())
            .filter(|place| bytes[*place..].starts_with(LICENSE))
            .collect();
        assert!(!places.is_empty(), "the kernel object has a license");
        for place in places {
            bytes[place..place + OTHER.len()].copy_from_slice(OTHER);
        }
        let program = node.work().join("interceptor-other");
        fs::write(&program, bytes).expect("write the other build");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("make it a program");
        Self { program }
    }

    /// A build of the next version of the ABI, in which the layout of a policy and of the counters differs: the feature
    /// `other-abi`. It lies beside the program under test; built once, unless `INTERCEPTOR_BIN` names that.
    pub fn of_next_abi() -> Self {
        static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
        let program = PROGRAM.get_or_init(|| {
            const NAME: &str = "interceptor-other-abi";
            // All members, as every other command: cargo compiles dependencies once more for other features.
            const ALL: [&str; 3] = ["--workspace", "--exclude", "interceptor-ebpf"];
            if env::var_os(BINARY).is_none() {
                build(&[&ALL[..], &["--bin", NAME, "--features", "interceptor/other-abi"]].concat());
            }
            binary().with_file_name(NAME)
        });
        assert!(
            program.is_file(),
            "there is no {}: build it with `--bin interceptor-other-abi --features interceptor/other-abi`",
            program.display()
        );
        Self { program: program.clone() }
    }

    /// `interceptor ARGUMENTS --bpffs <that node's>` of this build, to be started by the caller.
    pub fn command(&self, node: &Node, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).arg("--bpffs").arg(node.bpffs());
        command
    }
}
