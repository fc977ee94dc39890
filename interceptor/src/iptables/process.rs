// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Runs a program in a pod's network namespace, with a time limit. It knows no iptables.

use std::{
    fs::File,
    io::{Read as _, Seek as _, Write as _},
    os::{
        fd::{AsFd as _, AsRawFd as _},
        unix::process::ExitStatusExt as _,
    },
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::memfd::{MFdFlags, memfd_create},
};

use crate::{Netns, kernel::sys::retry};

/// The path in the environment of a program, for what it runs itself.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How much of what a program says of its failure is repeated.
const LONGEST_COMPLAINT: usize = 2_000;

/// Runs a program in the namespace. Returns what it printed. An error has what it said of its failure.
///
/// It gets no variable of this process. The lock file of iptables is one of this run, because rules of different
/// namespaces have nothing to wait for.
pub(super) fn run(netns: &Netns, program: &Path, arguments: &[&str], input: &str, limit: Duration) -> Result<String> {
    let name = || program.display();
    let (mut stdin, mut stdout, lock) = (memory("stdin")?, memory("stdout")?, memory("lock")?);
    stdin.write_all(input.as_bytes()).and_then(|()| stdin.rewind())?;
    let lock = format!("/proc/{}/fd/{}", std::process::id(), lock.as_raw_fd());
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("XTABLES_LOCKFILE", lock);
    command
        .stdin(stdin.try_clone()?)
        .stdout(stdout.try_clone()?)
        .stderr(Stdio::piped());
    // A child has the namespace of the thread that makes it.
    let mut child = netns
        .run(|| command.spawn())?
        .with_context(|| format!("Failed to start {}", name()))?;
    let complaint = complaint(&mut child, Instant::now() + limit);
    if complaint.is_err() {
        child.kill().with_context(|| format!("Failed to end {}", name()))?;
    }
    let status = child.wait().with_context(|| format!("Failed to wait for {}", name()))?;
    let complaint = complaint.with_context(|| format!("{} took too long", name()))?;
    if !status.success() {
        bail!("{} failed ({}){}", name(), how(status), said(&complaint));
    }
    let mut printed = String::new();
    stdout.rewind()?;
    stdout
        .read_to_string(&mut printed)
        .with_context(|| format!("Failed to read what {} printed", name()))?;
    Ok(printed)
}

/// A file that has no path and goes with this process.
fn memory(name: &str) -> Result<File> {
    let file = memfd_create(name, MFdFlags::MFD_CLOEXEC).context("Failed to make a file in memory")?;
    Ok(File::from(file))
}

/// What a process writes to standard error until it ends.
fn complaint(child: &mut Child, deadline: Instant) -> Result<String> {
    let mut stderr = child.stderr.take().context("It has no standard error")?;
    let mut text = Vec::new();
    loop {
        let rest = deadline.saturating_duration_since(Instant::now());
        let rest = PollTimeout::try_from(rest).unwrap_or(PollTimeout::MAX);
        let mut waited_for = [PollFd::new(stderr.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waited_for, rest) {
            Ok(0) => bail!("the time limit has passed"),
            Ok(_) => {}
            Err(nix::Error::EINTR) => continue,
            Err(errno) => return Err(errno.into()),
        }
        let mut bytes = [0; 4096];
        let read = retry(|| stderr.read(&mut bytes))?;
        if read == 0 {
            return Ok(String::from_utf8_lossy(&text).into_owned());
        }
        text.extend_from_slice(&bytes[..read]);
        text.truncate(LONGEST_COMPLAINT);
    }
}

fn how(status: ExitStatus) -> String {
    let code = status.code().map(|code| format!("exit status {code}"));
    let signal = || status.signal().map(|signal| format!("signal {signal}"));
    code.or_else(signal).unwrap_or_default()
}

fn said(complaint: &str) -> String {
    let lines: Vec<&str> = complaint.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        String::new()
    } else {
        format!(": {}", lines.join("; ").escape_debug())
    }
}
