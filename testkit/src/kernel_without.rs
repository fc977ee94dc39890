// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A kernel that lacks something, as one program sees it.

use std::process::Command;

/// Hides the kernel's type information (BTF) from a program, as on a kernel that was built without it
/// (`CONFIG_DEBUG_INFO_BTF`). The program has a mount namespace of its own, so nobody else is affected.
pub fn without_btf(command: &Command) -> Command {
    let mut hidden = Command::new("unshare");
    let script = "mount -t tmpfs none /sys/kernel/btf && exec \"$@\"";
    hidden.args(["--mount", "sh", "-c", script, "sh"]);
    hidden.arg(command.get_program()).args(command.get_args());
    hidden
}
