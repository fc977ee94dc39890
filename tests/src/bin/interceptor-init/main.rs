// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The first process of a machine that `cargo xtask vm` boots: mounts what a Linux system has, runs what it is told,
//! says how that ended, and switches the machine off.

mod mounts;
mod orders;

use std::{
    env,
    io::{self, Write as _},
    process::{self, Command, ExitCode, Stdio},
    sync::mpsc::channel,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    errno::Errno,
    sys::{
        reboot::{RebootMode, reboot},
        resource::{Resource, setrlimit},
        wait::{WaitStatus, waitpid},
    },
    unistd::{Pid, sync},
};

/// The word with which this program calls itself again.
const WORK: &str = "work";

/// As other systems' first processes allow; the kernel's own limit is 4,096, and some tests have more connections at
/// once.
const OPEN_FILES: u64 = 524_288;

/// How long the last lines of the work may take to reach the console.
const LAST_LINES: Duration = Duration::from_secs(10);

fn main() -> Result<ExitCode> {
    if env::args().nth(1).as_deref() == Some(WORK) {
        return orders::carry_out();
    }
    ensure!(
        process::id() == 1,
        "this is the first process of a virtual machine; `cargo xtask vm` boots one"
    );
    let status = first_process();
    let mut console = io::stdout().lock();
    match status {
        Ok(status) => writeln!(console, "{} {status}", orders::LAST_WORDS)?,
        Err(error) => writeln!(console, "the machine could not be set up: {error:#}")?,
    }
    console.flush()?;
    sync();
    reboot(RebootMode::RB_POWER_OFF).context("switch the machine off")?;
    Ok(ExitCode::FAILURE)
}

/// Lets another process do the work and buries whoever is left to the first process. Returns the work's exit code.
fn first_process() -> Result<i32> {
    mounts::mount_all()?;
    setrlimit(Resource::RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES).context("raise the limit of open files")?;
    // What it says goes through a pipe: for a console programs draw progress bars.
    let (mut said, pipe) = io::pipe().context("make a pipe")?;
    let (done, all_said) = channel();
    thread::spawn(move || {
        // Nobody is left to tell if the console fails.
        io::copy(&mut said, &mut io::stdout()).map(drop).unwrap_or_default();
        done.send(()).unwrap_or_default();
    });
    let mut work = Command::new("/proc/self/exe");
    work.arg(WORK).stdin(Stdio::null()).stdout(pipe.try_clone()?).stderr(pipe);
    let worker = Pid::from_raw(work.spawn().context("start the work")?.id().try_into()?);
    drop(work);
    let status = bury_until_the_end_of(worker)?;
    // A process that outlives the work may hold the pipe open; what the work itself has said is through by then.
    all_said.recv_timeout(LAST_LINES).unwrap_or_default();
    Ok(status)
}

fn bury_until_the_end_of(worker: Pid) -> Result<i32> {
    loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Exited(pid, status)) if pid == worker => return Ok(status),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == worker => return Ok(128 + signal as i32),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error).context("wait for the work"),
        }
    }
}
