// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which releases of Envoy the tests run, and where they are. `cargo xtask setup` reads the same list, and installs
//! them.

/// In cargo's target directory: one directory per version, with the program `envoy` in it.
pub(super) const DIRECTORY: &str = "envoy";

/// The versions, the newest first.
pub(super) fn versions() -> impl Iterator<Item = &'static str> {
    include_str!("../../envoy-versions.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
}
