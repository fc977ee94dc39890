// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Debian's packages, which are fetched and not installed: for this machine, by the lists that it has, and for machines
//! of another architecture, by lists of our own. The configuration of apt stays as it is.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::architecture::Architecture;
use crate::run::{ask, exec};

pub(crate) struct Apt {
    options: Vec<OsString>,
    /// Where packages are put.
    folder: PathBuf,
}

impl Apt {
    /// For packages of `architecture`, which it puts into `folder`. If that is another one than this machine's, the
    /// lists are fetched into `folder`, too.
    pub(crate) fn of(architecture: Architecture, folder: &Path) -> Result<Self> {
        // Its own user may not write there.
        let options = vec!["-oAPT::Sandbox::User=root".into()];
        let mut apt = Self { options, folder: folder.to_owned() };
        if !architecture.is_foreign()? {
            return Ok(apt);
        }
        let lists = folder.join("lists");
        for needed in [folder, &lists] {
            let partial = needed.join("partial");
            fs::create_dir_all(&partial).with_context(|| format!("cannot make {}", partial.display()))?;
        }
        apt.set("APT::Architecture", architecture.name());
        apt.set("APT::Architectures", architecture.name());
        // What is installed is of this machine.
        apt.set("Dir::State::Status", "/dev/null");
        apt.set("Dir::State::Lists", lists);
        // An index of the lists, which are used once.
        apt.set("Dir::Cache::pkgcache", "");
        apt.set("Dir::Cache::srcpkgcache", "");
        apt.set("Dir::Cache::Archives", folder);
        apt.update()
            .with_context(|| format!("cannot fetch Debian's lists of packages for {architecture}"))?;
        Ok(apt)
    }

    fn set(&mut self, name: &str, value: impl Into<OsString>) {
        let mut option = OsString::from(format!("-o{name}="));
        option.push(value.into());
        self.options.push(option);
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.args(&self.options);
        command
    }

    /// Fetches the lists anew.
    pub(crate) fn update(&self) -> Result<()> {
        exec(self.command("apt-get").args(["--quiet", "update"]))
    }

    /// Fetches packages, and returns the paths of all that are there.
    pub(crate) fn download(&self, packages: &[&str]) -> Result<Vec<PathBuf>> {
        let mut apt = self.command("apt-get");
        exec(apt.args(["--quiet", "download"]).args(packages).current_dir(&self.folder))?;
        self.archives()
    }

    /// Fetches packages and all that they need, and returns the paths of all that are there. For another architecture
    /// than this machine's, of which nothing is installed.
    pub(crate) fn download_with_dependencies(&self, packages: &[&str]) -> Result<Vec<PathBuf>> {
        let mut apt = self.command("apt-get");
        apt.args(["--quiet", "--yes", "--download-only", "--no-install-recommends", "install"]);
        exec(apt.args(packages))?;
        self.archives()
    }

    fn archives(&self) -> Result<Vec<PathBuf>> {
        let cannot = || format!("cannot list {}", self.folder.display());
        let entries = fs::read_dir(&self.folder).with_context(cannot)?;
        let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
        let mut archives = paths.with_context(cannot)?;
        archives.retain(|path| path.extension().is_some_and(|extension| extension == "deb"));
        archives.sort();
        Ok(archives)
    }

    /// The names of packages that fit a pattern.
    pub(crate) fn search(&self, pattern: &str) -> Result<Vec<String>> {
        let found = ask(self.command("apt-cache").args(["search", "--names-only", pattern]))?;
        let names = found.lines().filter_map(|line| line.split_once(' '));
        Ok(names.map(|(name, _description)| name.to_owned()).collect())
    }
}
