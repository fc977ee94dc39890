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
    /// What it is built from. Dependencies of its tests are left out.
    pub(crate) dependencies: Vec<Dependency>,
    /// Names of its integration tests.
    pub(crate) tests: Vec<String>,
    /// The first file of each of its crates: its library, programs, tests and build script.
    pub(crate) roots: Vec<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Always,
    /// Behind a feature.
    Optional,
    /// In the build script.
    Build,
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
            let targets = package["targets"].as_array()?;
            let tests = targets.iter().filter(|target| target["kind"][0] == "test");
            let shipped = dependencies.filter(|dependency| dependency["kind"] != "dev");
            Some(Member {
                name: package["name"].as_str()?.into(),
                manifest: package["manifest_path"].as_str()?.into(),
                dependencies: shipped.map(Dependency::read).collect::<Option<_>>()?,
                tests: tests
                    .map(|target| Some(target["name"].as_str()?.to_owned()))
                    .collect::<Option<_>>()?,
                roots: targets
                    .iter()
                    .map(|target| Some(target["src_path"].as_str()?.into()))
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

impl Dependency {
    fn read(dependency: &Value) -> Option<Self> {
        let kind = match (dependency["kind"].as_str(), dependency["optional"].as_bool()?) {
            (Some("build"), _) => Kind::Build,
            (_, true) => Kind::Optional,
            (_, false) => Kind::Always,
        };
        Some(Self { name: dependency["name"].as_str()?.into(), kind })
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
        let xtask = workspace.member("xtask").unwrap();
        assert!(xtask.roots.contains(&root().join("xtask/src/main.rs")));
        let interceptor = workspace.member("interceptor").unwrap();
        let kind = |name: &str| {
            let found = interceptor.dependencies.iter().find(|dependency| dependency.name == name);
            found.map(|dependency| dependency.kind)
        };
        assert_eq!(kind("aya"), Some(Kind::Always));
        assert_eq!(kind("clap_mangen"), Some(Kind::Optional));
        assert_eq!(kind("toolchain"), Some(Kind::Build));
        // Its own tests use rstest; the program that is shipped does not.
        assert_eq!(kind("rstest"), None);
    }
}
