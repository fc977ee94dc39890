// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is in every static program without being a package of cargo: Rust's standard library, and the C library.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use toolchain::Compiler;

use super::packages::{Origin, Package};
use crate::architecture::Architecture;
use crate::programs::rustc;
use crate::run::ask;

pub(super) fn packages(architecture: Architecture) -> Result<[Package; 2]> {
    let compiler = Compiler::ask(&rustc()).context("cannot ask rustc for its version")?;
    let package = package(architecture)?;
    // `2.36-9+deb12u10`, `2.36-8cross1`
    let version = ask(Command::new("dpkg-query").args(["--show", "--showformat=${Version}", &package]))
        .with_context(|| format!("no {package}, with which programs are linked"))?;
    let version = version.split('-').next().unwrap_or_default();
    let copyright = PathBuf::from(format!("/usr/share/doc/{package}/copyright"));
    ensure!(
        copyright.is_file(),
        "no {}, the license of what programs are linked with. Install Debian's {package}",
        copyright.display()
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

/// Debian's package that has `libc.a` for such a machine.
fn package(architecture: Architecture) -> Result<String> {
    Ok(if architecture.is_foreign()? {
        format!("libc6-dev-{architecture}-cross")
    } else {
        "libc6-dev".to_owned()
    })
}
