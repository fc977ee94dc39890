// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who runs this program. Asks the kernel, and changes nothing.

use std::os::unix::fs::MetadataExt as _;

use anyhow::{Context as _, Result, bail};

/// Fails unless root runs this. `what` needs root, and is part of `cargo xtask <command>`.
pub(crate) fn require_root(what: &str, command: &str) -> Result<()> {
    if !is_root()? {
        bail!(
            "{what} makes network namespaces and loads kernel programs, so it needs root: run \
             `sudo -E env \"PATH=$PATH\" cargo xtask {command}`"
        );
    }
    Ok(())
}

pub(crate) fn is_root() -> Result<bool> {
    let owner = std::fs::metadata("/proc/self")
        .context("cannot read /proc/self to see who runs this")?
        .uid();
    Ok(owner == 0)
}
