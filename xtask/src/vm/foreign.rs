// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The programs of a machine of another architecture than this one's, out of Debian's packages.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::unpacked::{self, remove};
use crate::apt::Apt;
use crate::architecture::Architecture;

/// What tests start. apt adds what they need.
const PACKAGES: [&str; 7] = ["busybox", "curl", "iproute2", "iptables", "kmod", "mount", "util-linux"];

/// They take most of the space, and nobody reads them there.
const TEXTS: [&str; 3] = ["usr/share/doc", "usr/share/locale", "usr/share/man"];

/// Where the files are, below `directory`, as in the root directory of such a machine.
pub(super) fn home(architecture: Architecture, directory: &Path) -> PathBuf {
    directory.join(format!("programs-{architecture}"))
}

/// Puts the files there, unless they are.
pub(super) fn fetch(architecture: Architecture, directory: &Path, no_install: bool) -> Result<()> {
    let home = home(architecture, directory);
    unpacked::once(&home, no_install, |folder| {
        Apt::of(architecture, folder)?.download_with_dependencies(&PACKAGES)
    })
    .with_context(|| format!("cannot get the programs of a machine of {architecture}"))?;
    TEXTS.iter().try_for_each(|texts| remove(&home.join(texts)))
}
