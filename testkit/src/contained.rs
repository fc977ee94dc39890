// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A program in a container, as the chart of the node agent runs one.

use std::process::Command;

/// Everything of the machine is where it was, but `/proc` is that of a PID namespace of its own, and the machine's is
/// at `/host/proc`. It is put together in a mount namespace of its own, so nobody else is affected.
const SCRIPT: &str = r#"
set -e
mount -t tmpfs none /mnt
for entry in /*; do
    case $entry in /mnt | /proc | /host) continue ;; esac
    if [ -L "$entry" ]; then cp -P "$entry" /mnt/
    elif [ -d "$entry" ]; then mkdir "/mnt$entry"; mount --rbind "$entry" "/mnt$entry"
    fi
done
mkdir -p /mnt/proc /mnt/host/proc
mount --rbind /proc /mnt/host/proc
mount -t proc proc /mnt/proc
exec chroot /mnt "$@"
"#;

/// Runs a program without a view of the processes of the machine, except at `/host/proc`.
pub fn contained(command: &Command) -> Command {
    let mut contained = Command::new("unshare");
    contained.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", SCRIPT, "sh"]);
    contained.arg(command.get_program()).args(command.get_args());
    contained
}
