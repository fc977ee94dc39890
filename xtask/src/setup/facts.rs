// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What this machine has. Looks, and changes nothing.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context as _, Result};
use toolchain::{Compiler, kernel_compiler};

use super::envoy::Envoy;
use super::helm::Helm;
use super::kubernetes::{self, Kubernetes};
use super::linker::{self, BPF_LINKER_LLVMS, Linker};
use super::needed::{ITEMS, Need};
use super::promtool::Promtool;
use super::system::System;
use crate::architecture::Architecture;
use crate::user::is_root;
use crate::workspace::Workspace;

/// Everything a plan depends on.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) system: System,
    pub(crate) root: bool,
    /// The compiler in use is one of rustup's, so rustup can add components to it.
    pub(crate) rustup: bool,
    pub(crate) in_use: Compiler,
    /// The compiler that builds of the kernel object choose; `None` when no compiler has the source of `core`.
    pub(crate) kernel: Option<Compiler>,
    /// Of rustfmt, clippy and the clippy of the kernel's compiler, those that are missing.
    pub(crate) missing_lints: Vec<String>,
    pub(crate) linker: Linker,
    /// The compiler in use has Rust's libraries for arm64.
    pub(crate) arm64_target: bool,
    /// Major versions of the LLVM libraries, of those that bpf-linker can be built with, installed as Debian does.
    pub(crate) llvms: Vec<u32>,
    pub(crate) missing_programs: Vec<&'static str>,
    pub(crate) missing_system_programs: Vec<&'static str>,
    pub(crate) envoy: Envoy,
    pub(crate) helm: Helm,
    pub(crate) promtool: Promtool,
    pub(crate) kubernetes: Kubernetes,
    /// Where the plugins are that connect pods.
    pub(crate) cni_plugins: Option<&'static Path>,
}

impl Facts {
    pub(crate) fn gather() -> Result<Self> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
        let in_use =
            Compiler::ask(&rustc).with_context(|| format!("cannot ask `{}` for its version", rustc.display()))?;
        let kernel = kernel_compiler(&in_use);
        let linker = linker::find(kernel.as_ref().unwrap_or(&in_use))?;
        let target_dir = Workspace::load()?.target_dir;
        Ok(Self {
            system: System::from_os_release(&std::fs::read_to_string("/etc/os-release").unwrap_or_default()),
            root: is_root()?,
            rustup: has_program("rustup") && in_use.sysroot.components().any(|part| part.as_os_str() == "toolchains"),
            arm64_target: in_use.sysroot.join("lib/rustlib").join(Architecture::Arm64.target()).is_dir(),
            missing_lints: missing_lints(&in_use, kernel.as_ref()),
            in_use,
            kernel,
            linker,
            llvms: BPF_LINKER_LLVMS.into_iter().filter(|llvm| has_llvm(*llvm)).collect(),
            envoy: Envoy::find(&target_dir),
            helm: Helm::find(&target_dir),
            promtool: Promtool::find(&target_dir),
            kubernetes: Kubernetes::find()?,
            cni_plugins: kubernetes::cni_plugins(),
            missing_programs: required(
                |need| if let Need::Programs(programs) = need { programs } else { &[] },
                has_program,
            ),
            missing_system_programs: required(
                |need| if let Need::SystemPrograms(programs) = need { programs } else { &[] },
                has_system_program,
            ),
        })
    }
}

/// rustup puts stand-ins for all tools into the search path, whether or not they are installed: look where they
/// really are.
fn missing_lints(in_use: &Compiler, kernel: Option<&Compiler>) -> Vec<String> {
    let wanted = [
        (Some(in_use), "rustfmt"),
        (Some(in_use), "cargo-clippy"),
        (kernel.filter(|kernel| *kernel != in_use), "cargo-clippy"),
    ];
    let tools = wanted.into_iter().filter_map(|(compiler, tool)| Some((compiler?, tool)));
    let missing = tools.filter(|(compiler, tool)| !compiler.sysroot.join("bin").join(tool).exists());
    missing
        .map(|(compiler, tool)| format!("{tool} of rustc {}", compiler.release))
        .collect()
}

fn has_llvm(llvm: u32) -> bool {
    Path::new(&format!("/usr/lib/llvm-{llvm}/lib/libLLVM.so")).exists()
}

/// Those of the table that are not there.
fn required(of: fn(Need) -> &'static [&'static str], is_there: fn(&str) -> bool) -> Vec<&'static str> {
    ITEMS
        .iter()
        .flat_map(|item| of(item.need))
        .copied()
        .filter(|program| !is_there(program))
        .collect()
}

/// Administrators' programs are not in the search path of every user.
fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(name)).any(|file| file.is_file())
}

fn has_system_program(name: &str) -> bool {
    ["/usr/bin", "/bin"].iter().any(|folder| Path::new(folder).join(name).is_file())
}
