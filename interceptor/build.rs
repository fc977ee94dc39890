// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Builds the kernel object and leaves it in `OUT_DIR/interceptor-ebpf`, where the loader embeds it.
//!
//! `aya_build::build_ebpf` does nearly this, but it needs a nightly compiler, or `RUSTC_BOOTSTRAP` for every crate of
//! the build. Here only the nested build gets unstable features (`-Z build-std`), and the compiler is the one in use.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use toolchain::Compiler;

const OBJECT: &str = "interceptor-ebpf";

#[expect(clippy::print_stderr, reason = "cargo shows it to the user, last")]
fn main() -> ExitCode {
    match build_kernel_object() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn build_kernel_object() -> Result<(), String> {
    // The object contains the policy crate too: watching the package alone would leave an old decision embedded.
    for input in ["../interceptor-ebpf", "../interceptor-policy", "../Cargo.toml", "../Cargo.lock"] {
        println!("cargo:rerun-if-changed={input}");
    }
    let in_use = Compiler::ask(&required("RUSTC")?)
        .ok_or("cannot ask the compiler that cargo names in RUSTC for its version")?;
    let compiler = toolchain::kernel_compiler(&in_use).ok_or_else(|| {
        let source = in_use.core_source();
        format!(
            "cannot build the kernel object: rustc {} lacks the source of `core` ({}). Run `cargo xtask setup`.",
            in_use.release,
            source.display()
        )
    })?;
    let linker = toolchain::find_bpf_linker().ok_or(
        "cannot build the kernel object: bpf-linker is neither in PATH nor where `cargo install` puts it. \
         Run `cargo xtask setup`.",
    )?;
    println!("cargo:rerun-if-changed={}", linker.display());
    println!("cargo:rustc-env=INTERCEPTOR_COMPILER=rustc {}", in_use.release);
    if compiler != in_use {
        println!("cargo:rerun-if-changed={}", compiler.rustc.display());
    }

    run_nested_build(&compiler, &linker, &PathBuf::from(required("OUT_DIR")?))
}

/// The target folder of the nested build: the folder of the outer build has a lock that cargo holds. All profiles and
/// features share it, `target/bpf`, so that `core` is compiled once.
fn nested_target(out: &Path) -> PathBuf {
    // `target/debug/build/interceptor-0123456789abcdef/out`
    let build = out.ancestors().nth(2).filter(|folder| folder.ends_with("build"));
    let target = build.and_then(|build| build.ancestors().nth(2));
    target.map_or_else(|| out.join("bpf"), |target| target.join("bpf"))
}

/// Runs cargo for the kernel's target. It puts the object into `out` while it holds the lock of its target folder, so
/// a build with other features does not come in between.
fn run_nested_build(compiler: &Compiler, linker: &Path, out: &Path) -> Result<(), String> {
    let target = match required("CARGO_CFG_TARGET_ENDIAN")?.to_str() {
        Some("big") => "bpfeb-unknown-none",
        _ => "bpfel-unknown-none",
    };
    let mut flags = OsString::from("--cfg=bpf_target_arch=\"");
    flags.push(required("CARGO_CFG_TARGET_ARCH")?);
    flags.push("\"\x1f-Cdebuginfo=2\x1f-Clink-arg=--btf");
    for flag in paths(compiler)? {
        flags.push("\x1f");
        flags.push(flag);
    }

    let mut cargo = Command::new(required("CARGO")?);
    cargo.args([
        "build",
        "--quiet",
        "--package",
        OBJECT,
        "--bins",
        "--release",
        "--target",
        target,
        "-Z",
        "build-std=core",
        "-Z",
        "unstable-options",
    ]);
    cargo.arg("--target-dir").arg(nested_target(out));
    cargo.arg("--artifact-dir").arg(out);
    for (feature, variable) in [("mutants", "CARGO_FEATURE_MUTANTS"), ("other-abi", "CARGO_FEATURE_OTHER_ABI")] {
        if std::env::var_os(variable).is_some() {
            cargo.args(["--features", feature]);
        }
    }
    cargo
        .env("RUSTC", &compiler.rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags);
    cargo.env("PATH", with_folder_of(linker)?);
    // Under `cargo clippy` this names clippy's driver, which would check the programs and produce no object.
    cargo.env_remove("RUSTC_WORKSPACE_WRAPPER");

    let output = cargo
        .output()
        .map_err(|error| format!("cannot start cargo to build the kernel object: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let llvm = compiler.llvm;
        return Err(format!(
            "{text}\ncannot build the kernel object with rustc {}: see the errors above. If they come from bpf-linker, \
             it may be older than the compiler's LLVM ({llvm}): `cargo xtask setup` checks that.",
            compiler.release
        ));
    }
    for line in text.lines() {
        println!("cargo:warning={line}");
    }
    Ok(())
}

/// The object names its sources in its type information.
fn paths(compiler: &Compiler) -> Result<Vec<String>, String> {
    let package = PathBuf::from(required("CARGO_MANIFEST_DIR")?);
    let workspace = package.parent().unwrap_or(&package);
    let home = toolchain::cargo_home().ok_or("cannot build the kernel object: set HOME, or CARGO_HOME")?;
    Ok(toolchain::same_paths_everywhere(workspace, &home, &compiler.sysroot))
}

/// rustc looks for the linker by name: the one that was found comes first.
fn with_folder_of(linker: &Path) -> Result<OsString, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = linker
        .parent()
        .map(Path::to_owned)
        .into_iter()
        .chain(std::env::split_paths(&path));
    std::env::join_paths(folders)
        .map_err(|error| format!("cannot add the folder of {} to PATH: {error}", linker.display()))
}

fn required(variable: &str) -> Result<OsString, String> {
    std::env::var_os(variable)
        .filter(|value| value != OsStr::new(""))
        .ok_or_else(|| format!("cargo has not set {variable}"))
}
