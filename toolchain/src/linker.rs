// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Finds bpf-linker. Does not try whether it works.

use std::path::PathBuf;

use crate::paths::cargo_home;

/// The file of bpf-linker. `cargo install` puts it into a folder that is not in every search path, so this looks there
/// first, and in the search path after that.
pub fn find_bpf_linker() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    cargo_bin()
        .into_iter()
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join("bpf-linker"))
        .find(|file| file.is_file())
}

fn cargo_bin() -> Option<PathBuf> {
    Some(cargo_home()?.join("bin"))
}
