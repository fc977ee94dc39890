// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Finding the programs of Kubernetes, which `cargo xtask setup --cluster` puts into the user's cache.

use std::{
    env,
    path::{Path, PathBuf},
};

/// What has to be there.
const PROGRAMS: [&str; 7] = [
    "busybox",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
];

/// Programs of Kubernetes, and the busybox of its test images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kubernetes(PathBuf);

impl Kubernetes {
    /// Panics, saying how to get it, when it is not there: a test without Kubernetes is not a pass.
    pub fn find() -> Self {
        let directory = cache().join("interceptor/kubernetes").join(version());
        let missing: Vec<_> = PROGRAMS.iter().filter(|program| !directory.join(program).is_file()).collect();
        assert!(
            missing.is_empty(),
            "no {missing:?} in {}: run `cargo xtask setup --cluster`, or `cargo xtask test --without cluster`",
            directory.display()
        );
        Self(directory)
    }

    /// One that has been found before.
    pub fn at(directory: PathBuf) -> Self {
        Self(directory)
    }

    pub fn directory(&self) -> &Path {
        &self.0
    }

    /// `kubelet`, `kubectl`, `busybox` and so on.
    pub fn program(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// As the XDG Base Directory Specification has it: a relative path counts as none.
fn cache() -> PathBuf {
    let usable = |path: &PathBuf| path.is_absolute();
    let variable = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(usable);
    variable.unwrap_or_else(|| {
        let home = env::home_dir().filter(usable);
        home.expect("HOME, or XDG_CACHE_HOME, names a directory").join(".cache")
    })
}

fn version() -> &'static str {
    let mut lines = include_str!("../../kubernetes-version.txt").lines();
    lines.find(|line| !line.starts_with('#')).expect("a version")
}
