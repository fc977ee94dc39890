// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Finds a compiler that can build for the kernel. Asks each compiler about itself, and compiles nothing.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use crate::version::version;

/// Where Debian and Ubuntu put the compiler of their packages. The package `rust-web-src` gives this compiler the
/// source of `core`.
const SYSTEM_RUSTC: &str = "/usr/bin/rustc";

/// The oldest compiler that builds this workspace, as `major.minor`.
const OLDEST_RUSTC: &str = env!("CARGO_PKG_RUST_VERSION");

/// An installed compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiler {
    /// How to call it.
    pub rustc: PathBuf,
    /// Its version, as `1.95.0`.
    pub release: String,
    /// The major version of the LLVM it writes bitcode with: bpf-linker must read that bitcode.
    pub llvm: u32,
    /// Where its libraries, its sources and its companions (clippy, rustfmt) are.
    pub sysroot: PathBuf,
}

impl Compiler {
    /// Asks `rustc` about itself. `None` when it does not run or does not answer as rustc does.
    pub fn ask(rustc: &OsStr) -> Option<Self> {
        let about = answer(rustc, &["-vV"])?;
        let field = |name: &str| about.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let llvm = field("LLVM version:")?.split('.').next()?.parse().ok()?;
        let release = field("release:")?.to_owned();
        let sysroot = PathBuf::from(answer(rustc, &["--print", "sysroot"])?.trim());
        Some(Self { rustc: rustc.into(), release, llvm, sysroot })
    }

    /// The source of `core`. The BPF targets have no prebuilt `core`, so cargo compiles this source.
    pub fn core_source(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib/src/rust/library/core")
    }

    fn builds_for_the_kernel(&self) -> bool {
        self.core_source().join("src/lib.rs").exists() && version(&self.release) >= version(OLDEST_RUSTC)
    }
}

/// The compiler for the kernel object: the one in use if it has the source of `core`, or else the system's compiler if
/// that has the source.
pub fn kernel_compiler(in_use: &Compiler) -> Option<Compiler> {
    if in_use.builds_for_the_kernel() {
        return Some(in_use.clone());
    }
    Compiler::ask(OsStr::new(SYSTEM_RUSTC)).filter(Compiler::builds_for_the_kernel)
}

fn answer(program: &OsStr, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    if output.status.success() {
        String::from_utf8(output.stdout).ok()
    } else {
        None
    }
}
