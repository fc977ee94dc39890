// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Finds what a Kubernetes node runs, and says how to get it. Builds nothing: `cargo xtask kubernetes` does.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::method::InstallMethod;
use super::system::System;
use crate::kubernetes::{PROGRAMS, Place};

/// Where Debian and Arch Linux have plugins of CNI, and where Fedora has them.
pub(crate) const CNI_FOLDERS: [&str; 2] = ["/usr/lib/cni", "/usr/libexec/cni"];

/// The plugin that stands for all of them.
pub(crate) const CNI_PLUGIN: &str = "bridge";

pub(super) fn cni_plugins() -> Option<&'static Path> {
    let mut folders = CNI_FOLDERS.into_iter().map(Path::new);
    folders.find(|folder| folder.join(CNI_PLUGIN).is_file())
}

/// The programs in the user's cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kubernetes {
    pub(super) directory: PathBuf,
    pub(super) missing: Vec<&'static str>,
}

impl Kubernetes {
    pub(super) fn find() -> Result<Self> {
        let place = Place::find()?;
        Ok(Self { missing: place.missing(), directory: place.programs })
    }

    pub(super) fn found(&self) -> Option<String> {
        let is_complete = self.missing.is_empty();
        is_complete.then(|| format!("{} in {}", PROGRAMS.join(", "), self.directory.display()))
    }

    pub(super) fn lack(&self) -> String {
        format!("no {} in {}", self.missing.join(", "), self.directory.display())
    }

    /// It takes minutes, and no root.
    pub(super) fn methods(&self, system: System) -> Vec<InstallMethod> {
        if system != System::Debian {
            return Vec::new();
        }
        vec![InstallMethod {
            name: format!("from Debian's source package, into {}", self.directory.display()),
            commands: vec!["cargo xtask kubernetes".into()],
            automatic: true,
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_built_on_debian_only() {
        let kubernetes = Kubernetes { directory: "/cache".into(), missing: vec!["kubectl"] };
        assert_eq!(kubernetes.found(), None);
        assert_eq!(kubernetes.lack(), "no kubectl in /cache");
        let methods = kubernetes.methods(System::Debian);
        assert!(methods[0].automatic && methods[0].commands == ["cargo xtask kubernetes"]);
        assert!(kubernetes.methods(System::Fedora).is_empty());
    }
}
