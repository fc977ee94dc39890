// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Finds what building for the kernel needs besides cargo: a compiler with the source of `core`, and bpf-linker.
//!
//! Two programs include this file: `interceptor/build.rs`, which uses the tools, and xtask, which installs them. They
//! share it so that `cargo build` works exactly when `cargo xtask setup` says it will. It never installs or changes
//! anything.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Debian and Ubuntu put the compiler of their packages; `rust-web-src` gives this one the source of `core`.
const SYSTEM_RUSTC: &str = "/usr/bin/rustc";

/// The oldest compiler that builds this workspace, as `major.minor`.
const OLDEST_RUSTC: &str = env!("CARGO_PKG_RUST_VERSION");

/// An installed compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Compiler {
    /// How to call it.
    pub(crate) rustc: PathBuf,
    /// Its version, as `1.95.0`.
    pub(crate) release: String,
    /// The major version of the LLVM it writes bitcode with: bpf-linker must read that bitcode.
    pub(crate) llvm: u32,
    /// Where its libraries, its sources and its companions (clippy, rustfmt) are.
    pub(crate) sysroot: PathBuf,
}

impl Compiler {
    /// Asks `rustc` about itself; `None` when it does not run or does not answer as rustc does.
    pub(crate) fn ask(rustc: &OsStr) -> Option<Self> {
        let about = answer(rustc, &["-vV"])?;
        let field = |name: &str| about.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let llvm = field("LLVM version:")?.split('.').next()?.parse().ok()?;
        let release = field("release:")?.to_owned();
        let sysroot = PathBuf::from(answer(rustc, &["--print", "sysroot"])?.trim());
        Some(Self { rustc: rustc.into(), release, llvm, sysroot })
    }

    /// The BPF targets have no prebuilt `core`: cargo compiles it from here.
    pub(crate) fn core_source(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib/src/rust/library/core")
    }

    fn builds_for_the_kernel(&self) -> bool {
        self.core_source().join("src/lib.rs").exists() && version(&self.release) >= version(OLDEST_RUSTC)
    }
}

/// The compiler for the kernel object: the one in use if it has the source of `core`, else the system's if that has it.
pub(crate) fn kernel_compiler(in_use: &Compiler) -> Option<Compiler> {
    if in_use.builds_for_the_kernel() {
        return Some(in_use.clone());
    }
    Compiler::ask(OsStr::new(SYSTEM_RUSTC)).filter(Compiler::builds_for_the_kernel)
}

/// bpf-linker: first where `cargo xtask setup` installs it, which not every search path contains, then in the search
/// path.
pub(crate) fn find_bpf_linker() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    cargo_bin()
        .into_iter()
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join("bpf-linker"))
        .find(|file| file.is_file())
}

fn cargo_bin() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cargo")))?;
    Some(home.join("bin"))
}

/// `1.95` and `1.95.0` as (1, 95); what is no version comes before every version.
pub(crate) fn version(text: &str) -> (u32, u32) {
    let mut numbers = text.split('.').map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn answer(program: &OsStr, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    if output.status.success() {
        String::from_utf8(output.stdout).ok()
    } else {
        None
    }
}
