// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Another build of `interceptor`, without building one.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use crate::Node;

/// The program under test with another license in its kernel object, which the kernel takes as well. To a loader it has
/// other programs. To connections they are the same.
pub struct OtherBuild {
    pub program: PathBuf,
}

impl OtherBuild {
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
}
