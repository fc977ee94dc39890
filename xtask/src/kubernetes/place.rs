// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where Kubernetes is built and kept: in the user's cache, outside of the checkout. `testkit::cluster` looks there.

use std::env;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

/// What a node and its control plane run, and the busybox of their container images.
pub(crate) const PROGRAMS: [&str; 7] = [
    "busybox",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
];

/// Directories of one version.
pub(crate) struct Place {
    /// With all of [`PROGRAMS`], or not there.
    pub(crate) programs: PathBuf,
    /// Only there while something is built.
    pub(super) build: PathBuf,
}

impl Place {
    pub(crate) fn find() -> Result<Self> {
        let cache = cache(env::var_os("XDG_CACHE_HOME").map(PathBuf::from), env::home_dir())?;
        let kubernetes = cache.join("interceptor/kubernetes");
        Ok(Self { programs: kubernetes.join(version_and_recipe()), build: kubernetes.join("build") })
    }

    pub(crate) fn missing(&self) -> Vec<&'static str> {
        PROGRAMS
            .into_iter()
            .filter(|program| !self.programs.join(program).is_file())
            .collect()
    }

    /// Go before modules finds packages by their place below GOPATH.
    pub(super) fn source(&self) -> PathBuf {
        self.gopath().join("src/k8s.io/kubernetes")
    }

    pub(super) fn gopath(&self) -> PathBuf {
        self.build.join("gopath")
    }

    /// What the Go compiler keeps, so that an interrupted build goes on.
    pub(super) fn gocache(&self) -> PathBuf {
        self.build.join("gocache")
    }

    /// Where packages of Debian are put and unpacked.
    pub(super) fn packages(&self) -> PathBuf {
        self.build.join("packages")
    }
}

/// The XDG Base Directory Specification: a relative path counts as none.
fn cache(variable: Option<PathBuf>, home: Option<PathBuf>) -> Result<PathBuf> {
    let usable = |path: &PathBuf| path.is_absolute();
    variable
        .filter(usable)
        .or_else(|| home.filter(usable).map(|home| home.join(".cache")))
        .context("there is no place for a cache: set HOME, or XDG_CACHE_HOME to an absolute path")
}

/// `1.20.2`
pub(super) fn version() -> &'static str {
    version_and_recipe().split('-').next().unwrap_or_default()
}

/// The tests read the same file.
fn version_and_recipe() -> &'static str {
    let mut lines = include_str!("../../../testkit/kubernetes-version.txt").lines();
    lines.find(|line| !line.starts_with('#')).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_where_xdg_says() {
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(cache(path("/c"), path("/h")).unwrap(), PathBuf::from("/c"));
        assert_eq!(cache(path("relative"), path("/h")).unwrap(), PathBuf::from("/h/.cache"));
        assert_eq!(cache(None, path("/h")).unwrap(), PathBuf::from("/h/.cache"));
        assert!(cache(None, None).unwrap_err().to_string().contains("XDG_CACHE_HOME"));
    }

    #[test]
    fn the_file_names_a_version_and_a_recipe() {
        let (version, recipe) = version_and_recipe().split_once('-').unwrap();
        assert_eq!(version.split('.').count(), 3);
        assert!(recipe.parse::<u32>().is_ok());
    }
}
