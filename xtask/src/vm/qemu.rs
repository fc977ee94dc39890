// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The machine.

use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::kernel::Kernel;
use crate::architecture::Architecture;
use crate::run::{say, shown};

/// How `interceptor-init` begins the line of each program that it starts.
const PROGRAM: &str = "# ";

/// What `interceptor-init` says last, before the exit code.
const LAST_WORDS: &str = "interceptor-init: exit code ";

/// Plain emulation, whatever this machine could do: every machine can do that, and the tests run the same everywhere.
/// Plain processors are emulated faster than those with everything.
const MACHINE: &str = "-accel tcg,thread=multi -smp 2 -m 2G -nodefaults -no-user-config -display none -serial stdio \
                       -no-reboot";

fn processor(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Amd64 => "-machine pc,hpet=off -cpu Nehalem",
        Architecture::Arm64 => "-machine virt -cpu cortex-a72",
    }
}

/// Nothing is to be protected here, what would be waited for is hurried, and the clocks are good however busy the
/// host is.
const KERNEL: &str = "quiet panic=-1 mitigations=off nokaslr random.trust_cpu=on rcupdate.rcu_expedited=1";

fn of_processor(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Amd64 => "console=ttyS0 no5lvl tsc=reliable no_timer_check",
        Architecture::Arm64 => "console=ttyAMA0",
    }
}

/// How often a kernel is booted that stops before it starts its first program. Emulated, one in some boots ends in a
/// panic (`Oops: int3`) while the kernel patches its own code on one processor and runs it on the other. Nothing of
/// ours has run by then, so this says nothing of us. A machine that stops later has failed.
const BOOTS: usize = 4;

/// Boots, shows what the machine says, and fails unless everything ended well within `limit`.
pub(super) fn run(kernel: &Kernel, archive: &Path, limit: Duration) -> Result<()> {
    for _ in 1..BOOTS {
        match boot(kernel, archive, limit)? {
            Ended::Unbegun => say("the kernel stopped before it started a program; it is booted again"),
            ended => return ended.result(limit),
        }
    }
    boot(kernel, archive, limit)?.result(limit)
}

fn boot(kernel: &Kernel, archive: &Path, limit: Duration) -> Result<Ended> {
    let architecture = kernel.architecture;
    let qemu = format!("qemu-system-{}", architecture.machine());
    let mut command = Command::new(&qemu);
    command
        .args(MACHINE.split_whitespace())
        .args(processor(architecture).split_whitespace())
        .arg("-kernel")
        .arg(kernel.image())
        .arg("-initrd")
        .arg(archive)
        .args(["-append", &format!("{KERNEL} {}", of_processor(architecture))]);
    say(&format!("$ {}", shown(&command)));
    let mut machine = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {qemu}"))?;
    let lines = lines(machine.stdout.take().context("the machine has no console")?);
    let ended = watch(&lines, Instant::now() + limit);
    // It has switched itself off, or is to.
    machine.kill().context("cannot switch the machine off")?;
    machine.wait().context("cannot wait for the machine")?;
    Ok(ended)
}

#[derive(Debug, PartialEq, Eq)]
enum Ended {
    With(i32),
    /// Before it started a program.
    Unbegun,
    Silently,
    Late,
}

impl Ended {
    fn result(self, limit: Duration) -> Result<()> {
        match self {
            Self::With(0) => Ok(()),
            Self::With(code) => bail!("exit code {code}"),
            Self::Unbegun => bail!("the kernel stopped before it started a program"),
            Self::Silently => bail!("the machine stopped before everything was done"),
            Self::Late => bail!("not done after {} minutes; the machine was switched off", limit.as_secs() / 60),
        }
    }
}

fn watch(lines: &Receiver<String>, deadline: Instant) -> Ended {
    let (mut begun, mut code) = (false, None);
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                begun |= line.starts_with(PROGRAM);
                if let Some(said) = line.strip_prefix(LAST_WORDS) {
                    code = said.parse().ok();
                } else {
                    say(&line);
                }
            }
            Err(RecvTimeoutError::Disconnected) => {
                return code.map_or(if begun { Ended::Silently } else { Ended::Unbegun }, Ended::With);
            }
            Err(RecvTimeoutError::Timeout) => return Ended::Late,
        }
    }
}

/// The lines of the serial console, whose ends are those of terminals.
fn lines(console: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut console = BufReader::new(console);
        let mut line = Vec::new();
        while console.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            if sender.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
                return; // nobody waits for the machine any more
            }
            line.clear();
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(console: &'static str, limit: Duration) -> Ended {
        watch(&lines(console.as_bytes()), Instant::now() + limit)
    }

    #[test]
    fn the_exit_code_comes_from_the_last_words() {
        assert_eq!(
            watched(
                "hello\r\ninterceptor-init: exit code 3\r\nPower down\r\n",
                Duration::from_mins(1)
            ),
            Ended::With(3)
        );
    }

    #[test]
    fn a_machine_that_stops_early_has_failed() {
        assert_eq!(
            watched("# demo\r\nKernel panic - not syncing\r\n", Duration::from_mins(1)),
            Ended::Silently
        );
    }

    #[test]
    fn a_kernel_that_stops_before_its_first_program_has_not_begun() {
        assert_eq!(
            watched("hello\r\nKernel panic - not syncing\r\n", Duration::from_mins(1)),
            Ended::Unbegun
        );
    }

    #[test]
    fn a_machine_that_hangs_is_given_up() {
        let (_held, silent) = channel();
        assert_eq!(watch(&silent, Instant::now()), Ended::Late);
    }
}
