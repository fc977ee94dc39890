// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The system of a machine of another architecture than this one: Debian's packages, unpacked and not installed.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::apt::Apt;
use crate::architecture::Architecture;

/// What tests start. Everything else is what they need.
const PACKAGES: [&str; 7] = ["busybox", "curl", "iproute2", "iptables", "kmod", "mount", "util-linux"];

/// Unpacks them into `root`. `folder` is for what is fetched.
pub(super) fn system(architecture: Architecture, folder: &Path, root: &Path) -> Result<()> {
    let apt = Apt::of(architecture, folder)?;
    let archives = apt
        .download_with_dependencies(&PACKAGES, folder)
        .with_context(|| format!("cannot fetch what a system of {architecture} consists of"))?;
    for archive in archives {
        let mut extract = Command::new("dpkg-deb");
        let status = extract
            .arg("--extract")
            .arg(&archive)
            .arg(root)
            .status()
            .context("cannot start dpkg-deb")?;
        ensure!(status.success(), "cannot unpack {}: {status}", archive.display());
    }
    // They take most of the space, and nobody reads them there.
    for texts in ["usr/share/doc", "usr/share/locale", "usr/share/man"] {
        super::kernel::remove(&root.join(texts))?;
    }
    Ok(())
}
