// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keeps the paths of this machine out of what the compiler writes, so that a commit gives the same programs wherever
//! it is built. Changes nothing else of them.

use std::path::{Path, PathBuf};

/// Flags for rustc that give sources of the workspace, of cargo's registry and of `sysroot` the same names on every
/// machine. They appear in debugging information and in the messages of panics.
pub fn same_paths_everywhere(workspace: &Path, cargo_home: &Path, sysroot: &Path) -> Vec<String> {
    // rustc takes the last one that fits.
    let renamed = [(sysroot, "/rust"), (cargo_home, "/cargo"), (workspace, "/interceptor")];
    renamed
        .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()))
        .to_vec()
}

/// Where cargo keeps the sources of crates, and the programs that it installs.
pub fn cargo_home() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cargo")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_inside_another_folder_keeps_its_own_name() {
        let flags = same_paths_everywhere(Path::new("/cargo-home/w"), Path::new("/cargo-home"), Path::new("/sysroot"));
        assert_eq!(
            flags.last().map(String::as_str),
            Some("--remap-path-prefix=/cargo-home/w=/interceptor")
        );
        assert_eq!(flags.len(), 3);
    }
}
