// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attaching, pinning and finding the programs of a loaded object. Nothing here chooses which programs a pod needs.

use std::{
    fs::File,
    os::fd::{AsRawFd, OwnedFd},
    path::Path,
};

use anyhow::{Context as _, Result};
use aya::{
    Ebpf,
    programs::{Program, ProgramFd},
};

use crate::kernel::{programs::table::ProgramInfo, sys};

impl ProgramInfo {
    /// Attaches the program to a cgroup or, in the case of a stub of `on_sk_lookup`, to a network namespace.
    pub(crate) fn attach(self, program: &impl AsRawFd, target: &File) -> Result<OwnedFd> {
        let link = sys::bpf_link_create(program, target, self.attach_type as u32);
        link.with_context(|| format!("Failed to attach {}", self.name))
    }

    /// Attaches the program to an interface of the calling thread's network namespace.
    pub(crate) fn attach_at_interface(self, program: &impl AsRawFd, interface: u32) -> Result<OwnedFd> {
        let link = sys::bpf_link_create_at_interface(program, interface, self.attach_type as u32);
        link.with_context(|| format!("Failed to attach {} to the interface with index {interface}", self.name))
    }

    /// Pins the program in `directory`.
    pub(crate) fn pin(self, object: &mut Ebpf, directory: &Path) -> Result<()> {
        self.of(object)?
            .pin(directory.join(self.name))
            .with_context(|| format!("Failed to pin {}", self.name))
    }

    /// The program in an object, loaded or not.
    pub(crate) fn of(self, object: &mut Ebpf) -> Result<&mut Program> {
        object
            .program_mut(self.name)
            .with_context(|| format!("The kernel object has no program {}", self.name))
    }

    /// A descriptor of the program in an object, in which it is loaded.
    pub(crate) fn fd_in(self, object: &mut Ebpf) -> Result<ProgramFd> {
        let fd = self
            .of(object)?
            .fd()
            .with_context(|| format!("The program {} is not loaded", self.name))?;
        fd.try_clone()
            .with_context(|| format!("Failed to duplicate the descriptor of {}", self.name))
    }
}
