// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is in every static program without being a package of cargo: Rust's standard library, and the C library.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use toolchain::Compiler;

use super::packages::{Origin, Package};
use crate::programs::rustc;
use crate::run::ask;

/// Where Debian has the licenses of `libc.a`.
const LIBC_COPYRIGHT: &str = "/usr/share/doc/libc6-dev/copyright";

pub(super) fn packages() -> Result<[Package; 2]> {
    let compiler = Compiler::ask(&rustc()).context("cannot ask rustc for its version")?;
    // `glibc 2.36`
    let libc = ask(Command::new("getconf").arg("GNU_LIBC_VERSION"))?;
    let version = libc
        .split_whitespace()
        .nth(1)
        .context("`getconf GNU_LIBC_VERSION` names no version")?;
    let copyright = PathBuf::from(LIBC_COPYRIGHT);
    ensure!(
        copyright.is_file(),
        "no {LIBC_COPYRIGHT}, the license of what programs are linked with. Install Debian's libc6-dev"
    );
    Ok([
        Package {
            name: "std".to_owned(),
            version: compiler.release,
            license: "Apache-2.0 OR MIT".to_owned(),
            origin: Origin::Toolchain { homepage: "https://github.com/rust-lang/rust" },
            texts: compiler.sysroot.join("share/doc/rust"),
        },
        Package {
            name: "glibc".to_owned(),
            version: version.to_owned(),
            license: "LGPL-2.1-or-later".to_owned(),
            origin: Origin::Toolchain { homepage: "https://www.gnu.org/software/libc/" },
            texts: copyright,
        },
    ])
}
