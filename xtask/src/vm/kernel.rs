// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Debian's kernels for clouds, out of its packages; nothing is installed into the system.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, Result};

use super::programs::only_entry;
use super::unpacked;
use crate::apt::Apt;
use crate::architecture::Architecture;
use crate::run::say;

/// A series of kernels, such as 6.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    major: u32,
    minor: u32,
}

impl Version {
    /// Those that are tested beside the running one.
    pub(crate) const TESTED: [Self; 2] = [Self { major: 6, minor: 1 }, Self { major: 6, minor: 12 }];
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { major, minor } = self;
        write!(formatter, "{major}.{minor}")
    }
}

impl FromStr for Version {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str| text.parse().ok().ok_or("expected two numbers with a dot between, such as 6.12");
        let (major, minor) = text.split_once('.').unwrap_or((text, ""));
        Ok(Self { major: number(major)?, minor: number(minor)? })
    }
}

/// An unpacked kernel.
pub(super) struct Kernel {
    pub(super) version: Version,
    pub(super) architecture: Architecture,
    /// What `uname -r` says there.
    pub(super) release: String,
    /// `boot/vmlinuz-…` and `lib/modules/…` lie below it.
    pub(super) directory: PathBuf,
}

impl Kernel {
    pub(super) fn image(&self) -> PathBuf {
        self.directory.join("boot").join(format!("vmlinuz-{}", self.release))
    }

    pub(super) fn modules(&self) -> PathBuf {
        self.directory.join("lib/modules").join(&self.release)
    }

    fn unpacked(version: Version, architecture: Architecture, directory: PathBuf) -> Result<Self> {
        let release = only_entry(&directory.join("lib/modules"))?;
        Ok(Self { version, architecture, release, directory })
    }

    /// What its files are called among those of others: `6.1`, or `6.1-arm64` where this machine is of another
    /// architecture.
    pub(super) fn name(&self) -> Result<String> {
        name(self.version, self.architecture)
    }
}

fn name(version: Version, architecture: Architecture) -> Result<String> {
    Ok(if architecture.is_foreign()? {
        format!("{version}-{architecture}")
    } else {
        version.to_string()
    })
}

/// The kernel in `directory`, got from Debian's archive if it is not there.
pub(super) fn fetch(
    version: Version,
    architecture: Architecture,
    directory: &Path,
    no_install: bool,
) -> Result<Kernel> {
    let home = directory.join(name(version, architecture)?);
    unpacked::once(&home, no_install, |folder| download(version, architecture, folder)).with_context(|| {
        format!("cannot get Linux {version}; leave it out with `cargo xtask test --without kernels`")
    })?;
    let kernel = Kernel::unpacked(version, architecture, home)?;
    say(&format!("Linux {version:<9} found: {}", kernel.image().display()));
    Ok(kernel)
}

fn download(version: Version, architecture: Architecture, folder: &Path) -> Result<Vec<PathBuf>> {
    let apt = Apt::of(architecture, folder)?;
    let get = || apt.download(&[&newest_package(version, architecture, &apt)?]);
    get().or_else(|error| {
        // The lists may be older than the archive, which has replaced the package since.
        say(&format!("{error:#}; once more, with new package lists"));
        apt.update().context("package lists are updated by root")?;
        get()
    })
}

fn newest_package(version: Version, architecture: Architecture, apt: &Apt) -> Result<String> {
    let pattern = format!(r"^linux-image-{}\.{}\..*-cloud-{architecture}$", version.major, version.minor);
    let names = apt
        .search(&pattern)
        .context("kernels come from the package archive of Debian, with its tools")?;
    names.into_iter().max_by_key(|name| numbers(name)).with_context(|| {
        format!(
            "the package lists of this system have no linux-image-{version}.*-cloud-{architecture}. Debian 12 has \
             Linux 6.1, and 6.12 among its security updates; another system needs a source of packages that has it, \
             or `cargo xtask test --without kernels`"
        )
    })
}

/// `linux-image-6.12.9+deb12-cloud-amd64` → 6, 12, 9, 12, 64: what tells an older package from a newer.
fn numbers(name: &str) -> Vec<u32> {
    name.split(|letter: char| !letter.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_they_are_written() {
        for version in Version::TESTED {
            assert_eq!(version.to_string().parse(), Ok(version));
        }
        for wrong in ["6", "6.", "six.one", "6.1.2"] {
            assert!(Version::from_str(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn newer_packages_have_greater_numbers() {
        assert!(numbers("linux-image-6.12.100+deb12-cloud-amd64") > numbers("linux-image-6.12.99+deb12-cloud-amd64"));
        assert!(numbers("linux-image-6.1.0-9-cloud-amd64") < numbers("linux-image-6.1.0-10-cloud-amd64"));
    }
}
