// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Finding Envoy.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use super::versions::{DIRECTORY, versions};
use crate::{interceptor::Run, node::profile_directory};

/// Names the Envoy to use, in place of those that `cargo xtask setup --envoy` installs.
const VARIABLE: &str = "INTERCEPTOR_ENVOY";

/// An Envoy to test with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    path: PathBuf,
    name: String,
}

impl Binary {
    /// The one that `INTERCEPTOR_ENVOY` names, or else all that are installed by `cargo xtask setup --envoy`.
    pub fn all() -> Vec<Self> {
        match env::var_os(VARIABLE) {
            Some(path) => vec![Self::at(path.into())],
            None => versions().map(Self::installed).collect(),
        }
    }

    /// The one that `INTERCEPTOR_ENVOY` names, or else the newest.
    pub fn newest() -> Self {
        Self::all().swap_remove(0)
    }

    /// The one at `path`.
    pub fn at(path: PathBuf) -> Self {
        Self { path, name: "given".to_owned() }
    }

    fn installed(version: &str) -> Self {
        let profile = profile_directory();
        let target = profile.parent().expect("cargo's target directory");
        Self {
            path: target.join(DIRECTORY).join(version).join("envoy"),
            name: version.to_owned(),
        }
    }

    /// `1.40.0`, or `given`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The program. Panics, saying how to get it, when it is not there or does not run: a test without Envoy is not a
    /// pass.
    pub fn path(&self) -> &Path {
        let path = self.path.display();
        let mut command = Command::new(&self.path);
        command.arg("--version");
        match Run::attempt(command, "").and_then(Run::successful) {
            Ok(()) => &self.path,
            Err(error) if env::var_os(VARIABLE).is_some() => {
                panic!("{VARIABLE} names {path}, which does not run: {error}")
            }
            Err(error) => {
                panic!(
                    "no Envoy {} at {path}: run `cargo xtask setup --envoy`, or name one with {VARIABLE}=PATH\n{error}",
                    self.name
                )
            }
        }
    }
}
