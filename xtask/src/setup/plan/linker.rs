// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How to build bpf-linker with an LLVM that reads what the compiler writes. Builds nothing.

use super::packages::{install, packages};
use crate::setup::facts::Facts;
use crate::setup::linker::{BPF_LINKER, BPF_LINKER_LLVMS};
use crate::setup::method::InstallMethod;
use crate::setup::needed::Item;
use crate::setup::system::System;

/// LLVM reads the bitcode of its own and of earlier versions. So these methods try the compiler's version first, then
/// newer ones, and an installed LLVM before one that has to be installed.
pub(super) fn linker_methods(item: &Item, facts: &Facts) -> Vec<InstallMethod> {
    let compiler = facts.kernel.as_ref().unwrap_or(&facts.in_use);
    let mut llvms: Vec<u32> = BPF_LINKER_LLVMS.into_iter().filter(|llvm| *llvm >= compiler.llvm).collect();
    llvms.sort_by_key(|llvm| !facts.llvms.contains(llvm));
    if facts.system != System::Debian {
        llvms.truncate(1);
    }
    llvms.into_iter().filter_map(|llvm| linker_method(item, llvm, facts)).collect()
}

fn linker_method(item: &Item, llvm: u32, facts: &Facts) -> Option<InstallMethod> {
    let debian_prefix = format!("/usr/lib/llvm-{llvm}");
    let installed = facts.llvms.contains(&llvm);
    let method = match facts.system {
        _ if installed => None,
        System::Debian => Some(install(&format!("llvm-{llvm}-dev"), facts)?),
        _ => Some(packages(item, facts)?),
    };
    let prefix = if installed || facts.system == System::Debian {
        debian_prefix.as_str()
    } else {
        "/usr"
    };
    let automatic = method.as_ref().is_none_or(|method| method.automatic);
    let mut commands = method.map(|method| method.commands).unwrap_or_default();
    commands.push(cargo_install(prefix, &llvm.to_string()));
    Some(InstallMethod { name: format!("from source, with LLVM {llvm}"), commands, automatic })
}

/// The build of bpf-linker asks `LLVM_PREFIX` for its LLVM. Without this variable it takes the first llvm-config of
/// the search path, of any version.
pub(super) fn cargo_install(prefix: &str, llvm: &str) -> String {
    format!(
        "LLVM_PREFIX={prefix} cargo install bpf-linker --version {BPF_LINKER} --locked --force --no-default-features \
         --features llvm-{llvm}"
    )
}
