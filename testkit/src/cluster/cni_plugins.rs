// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Finding the plugins of CNI that distributions have.

use std::path::Path;

use anyhow::Context as _;

/// Where Debian and Arch Linux have plugins of CNI, and where Fedora has them.
const FOLDERS: [&str; 2] = ["/usr/lib/cni", "/usr/libexec/cni"];

/// The folder of `bridge`, `host-local` and the others.
pub fn cni_plugins() -> anyhow::Result<&'static Path> {
    let mut folders = FOLDERS.into_iter().map(Path::new);
    let folder = folders.find(|folder| folder.join("bridge").is_file());
    folder.with_context(|| format!("no CNI plugins in {}: run `cargo xtask setup --cluster`", FOLDERS.join(", ")))
}
