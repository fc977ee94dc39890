// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tells the kernel programs for which processor they are built, and rebuilds them when bpf-linker changes. It builds
//! nothing itself.

use std::path::PathBuf;

fn main() {
    // Cargo does not know that the object depends on the linker.
    if let Some(linker) = find_linker() {
        println!("cargo:rerun-if-changed={}", linker.display());
    }
    aya_build::emit_bpf_target_arch_cfg().expect("cargo sets HOST to the name of a target");
}

fn find_linker() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join("bpf-linker"))
        .find(|file| file.is_file())
}
