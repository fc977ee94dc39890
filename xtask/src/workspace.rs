// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What cargo knows about this workspace.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::run::{ask, cargo};

pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target_dir: PathBuf,
    pub(crate) members: Vec<Member>,
}

pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) manifest: PathBuf,
    /// Names of what it is built from; dependencies of its tests are left out.
    pub(crate) dependencies: Vec<String>,
    /// Names of its integration tests.
    pub(crate) tests: Vec<String>,
}

impl Workspace {
    pub(crate) fn load() -> Result<Self> {
        let text = ask(cargo(["metadata", "--no-deps", "--format-version", "1"]).current_dir(root()))?;
        let metadata = serde_json::from_str(&text).context("cannot read what `cargo metadata` wrote")?;
        Self::read(&metadata).context("`cargo metadata` lacks a field this program needs")
    }

    pub(crate) fn member(&self, name: &str) -> Result<&Member> {
        self.members
            .iter()
            .find(|member| member.name == name)
            .with_context(|| format!("this workspace has no package {name}"))
    }

    fn read(metadata: &Value) -> Option<Self> {
        let member = |package: &Value| {
            let dependencies = package["dependencies"].as_array()?.iter();
            let targets = package["targets"].as_array()?.iter();
            let tests = targets.filter(|target| target["kind"][0] == "test");
            let shipped = dependencies.filter(|dependency| dependency["kind"] != "dev");
            Some(Member {
                name: package["name"].as_str()?.into(),
                manifest: package["manifest_path"].as_str()?.into(),
                dependencies: shipped
                    .map(|dependency| Some(dependency["name"].as_str()?.to_owned()))
                    .collect::<Option<_>>()?,
                tests: tests
                    .map(|target| Some(target["name"].as_str()?.to_owned()))
                    .collect::<Option<_>>()?,
            })
        };
        Some(Self {
            root: metadata["workspace_root"].as_str()?.into(),
            target_dir: metadata["target_directory"].as_str()?.into(),
            members: metadata["packages"].as_array()?.iter().map(member).collect::<Option<_>>()?,
        })
    }
}

/// The folder of the workspace, so that every command works from any folder inside it.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_workspace_is_read() {
        let workspace = Workspace::load().unwrap();
        assert_eq!(workspace.root, root());
        assert!(
            workspace
                .members
                .iter()
                .any(|member| member.name == "xtask" && member.dependencies.contains(&"clap".into()))
        );
        // Its own tests use proptest; the program that is shipped does not.
        let interceptor = workspace.members.iter().find(|member| member.name == "interceptor").unwrap();
        assert!(!interceptor.dependencies.contains(&"proptest".into()));
    }
}
