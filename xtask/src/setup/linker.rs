// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Finds bpf-linker and proves that it reads what the compiler writes.
//!
//! The linker reads LLVM bitcode, and an LLVM older than the compiler's may not understand it. bpf-linker does not
//! say which LLVM it contains, so it gets a small program to link.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use toolchain::{Compiler, find_bpf_linker, version};

use crate::run::ask;

/// The version this project is tested with.
pub(super) const BPF_LINKER: &str = "0.13.0";

/// The LLVM versions that this bpf-linker can be built with.
pub(super) const BPF_LINKER_LLVMS: [u32; 3] = [21, 22, 23];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Linker {
    Missing,
    Unusable { path: PathBuf, reason: String },
    Usable { path: PathBuf, version: String },
}

/// A kernel program that does not need `core`, which may not be there yet. The language items are what 1.95 and 1.96
/// require.
const PROGRAM: &str = r#"
#![feature(no_core, lang_items)]
#![allow(internal_features)]
#![no_core]
#[lang = "pointee_sized"] pub trait PointeeSized {}
#[lang = "meta_sized"] pub trait MetaSized: PointeeSized {}
#[lang = "sized"] pub trait Sized: MetaSized {}
#[unsafe(no_mangle)] pub extern "C" fn probe(_context: *mut u8) -> i32 { 1 }
"#;

pub(crate) fn find(compiler: &Compiler) -> Result<Linker> {
    let Some(path) = find_bpf_linker() else { return Ok(Linker::Missing) };
    let about = match ask(Command::new(&path).arg("--version")) {
        Ok(about) => about,
        Err(error) => return Ok(Linker::Unusable { path, reason: format!("{error:#}") }),
    };
    let found = about.trim().trim_start_matches("bpf-linker ").to_owned();
    if version(&found) < version(BPF_LINKER) {
        return Ok(Linker::Unusable { path, reason: format!("it is version {found}, older than {BPF_LINKER}") });
    }
    let folder = std::env::temp_dir().join(format!("interceptor-setup-{}", std::process::id()));
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot create {} to try bpf-linker in", folder.display()))?;
    let linked = link_program(&path, compiler, &folder);
    std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    Ok(match linked {
        Ok(()) => Linker::Usable { path, version: found },
        Err(error) => Linker::Unusable {
            path,
            reason: format!("it does not link what rustc {} writes: {error:#}", compiler.release),
        },
    })
}

fn link_program(linker: &Path, compiler: &Compiler, folder: &Path) -> Result<()> {
    let [source, bitcode, object] = ["probe.rs", "probe.bc", "probe.o"].map(|name| folder.join(name));
    std::fs::write(&source, PROGRAM).with_context(|| format!("cannot write {}", source.display()))?;
    let mut rustc = Command::new(&compiler.rustc);
    rustc.env("RUSTC_BOOTSTRAP", "1").args([
        "--edition=2024",
        "--target=bpfel-unknown-none",
        "--crate-type=lib",
        "--emit=llvm-bc",
    ]);
    let bitcode_made = ask(rustc
        .args([OsStr::new("-Cdebuginfo=2"), OsStr::new("-o")])
        .args([&bitcode, &source]));
    if bitcode_made.is_err() {
        // A newer compiler may want other language items. That says nothing about the linker: the build will show.
        return Ok(());
    }
    let mut link = Command::new(linker);
    ask(link
        .args(["--btf", "--emit=obj", "--export=probe", "-o"])
        .args([&object, &bitcode]))
    .map(drop)
}
