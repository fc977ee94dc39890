// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Packages of Debian as they are fetched and not installed: for this machine, by the lists that it has, and for
//! machines of another architecture, by lists of our own. The configuration of apt stays as it is.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::architecture::Architecture;
use crate::run::{ask, exec};

/// What apt fetches for another architecture, in the folder that it is given.
const CACHE: &str = "cache";

/// How apt is asked.
pub(crate) struct Apt(Vec<OsString>);

impl Apt {
    /// For packages of `architecture`. If that is another one than this machine's, the lists are fetched into `folder`.
    pub(crate) fn of(architecture: Architecture, folder: &Path) -> Result<Self> {
        // Its own user may not write there.
        let mut options = vec!["-oAPT::Sandbox::User=root".into()];
        if architecture == Architecture::here()? {
            return Ok(Self(options));
        }
        let [lists, cache] = ["lists", CACHE].map(|name| folder.join(name));
        for needed in [lists.join("partial"), cache.join("archives/partial")] {
            fs::create_dir_all(&needed).with_context(|| format!("cannot make {}", needed.display()))?;
        }
        options.extend(["", "s"].map(|ending| format!("-oAPT::Architecture{ending}={architecture}").into()));
        // What is installed is of this machine.
        options.push("-oDir::State::Status=/dev/null".into());
        for (name, value) in [("Dir::State::Lists", lists), ("Dir::Cache", cache)] {
            let mut option = OsString::from(format!("-o{name}="));
            option.push(value);
            options.push(option);
        }
        let apt = Self(options);
        apt.update()
            .with_context(|| format!("cannot fetch Debian's lists of packages for {architecture}"))?;
        Ok(apt)
    }

    /// Fetches the lists anew.
    pub(crate) fn update(&self) -> Result<()> {
        exec(Command::new("apt-get").args(&self.0).args(["--quiet", "update"]))
    }

    /// Puts archives of packages into `folder`.
    pub(crate) fn download(&self, packages: &[&str], folder: &Path) -> Result<()> {
        let mut apt = Command::new("apt-get");
        exec(
            apt.args(&self.0)
                .args(["--quiet", "download"])
                .args(packages)
                .current_dir(folder),
        )
    }

    /// Fetches archives of packages and of all that they need, and returns them. For another architecture than this
    /// machine's, of which nothing is installed.
    pub(crate) fn download_with_dependencies(&self, packages: &[&str], folder: &Path) -> Result<Vec<PathBuf>> {
        let mut apt = Command::new("apt-get");
        apt.args(&self.0)
            .args(["--quiet", "--yes", "--download-only", "--no-install-recommends", "install"]);
        exec(apt.args(packages))?;
        let folder = folder.join(CACHE).join("archives");
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
        let mut archives = paths.with_context(|| format!("cannot list {}", folder.display()))?;
        archives.retain(|path| path.extension().is_some_and(|extension| extension == "deb"));
        archives.sort();
        Ok(archives)
    }

    /// The names of packages that fit a pattern.
    pub(crate) fn search(&self, pattern: &str) -> Result<Vec<String>> {
        let found = ask(Command::new("apt-cache")
            .args(&self.0)
            .args(["search", "--names-only", pattern]))?;
        let names = found.lines().filter_map(|line| line.split_once(' '));
        Ok(names.map(|(name, _description)| name.to_owned()).collect())
    }
}
