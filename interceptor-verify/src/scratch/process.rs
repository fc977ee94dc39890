// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Child processes: those that run to their end, and those that answer.

use std::{
    io::Write as _,
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use nix::poll::{PollTimeout, poll};
use serde::de::DeserializeOwned;

use crate::lines::{Lines, TimedOut};

/// A running child process that is asked, and answers, line by line. Killed and waited for when dropped.
pub struct Talker {
    what: String,
    child: Child,
    stdout: Lines,
    patience: Duration,
}

impl Talker {
    pub(super) fn start(what: &str, mut command: Command, patience: Duration) -> anyhow::Result<Self> {
        // Ctrl-C is for this program alone, which then ends them.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("start {what}"))?;
        let stdout = child.stdout.take().with_context(|| format!("read from {what}"))?;
        Ok(Self { what: what.to_owned(), child, stdout: Lines::new(stdout), patience })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line, as the JSON it is.
    pub fn json<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        let what = &self.what;
        match self.stdout.next(Instant::now() + self.patience) {
            Ok(Some(line)) => serde_json::from_str(&line).with_context(|| format!("{what} said {line:?}")),
            Ok(None) => bail!("{what} ended without an answer"),
            Err(TimedOut) => bail!("{what} did not answer within {:?}", self.patience),
        }
    }

    /// Writes a line to its standard input.
    pub fn say(&mut self, line: &str) -> anyhow::Result<()> {
        let stdin = self.child.stdin.as_mut().context("standard input is closed")?;
        writeln!(stdin, "{line}").with_context(|| format!("write to {}", self.what))
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        // Both fail only when it has been waited for already.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

/// Runs a program to its end, and returns what it wrote. An error, with all that it said, unless it ended with exit
/// code 0. The input is small: it fits into a pipe.
pub fn run(mut command: Command, input: &str, patience: Duration) -> anyhow::Result<String> {
    let program = command.get_program().display().to_string();
    command.process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("start {program}"))?;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut stdin), Some(stdout), Some(stderr)) = pipes else {
        bail!("{program} has no pipes")
    };
    let (stdout, stderr) = (Lines::new(stdout), Lines::new(stderr));
    // Who ends without reading it is judged by the exit code.
    stdin.write_all(input.as_bytes()).unwrap_or_default();
    drop(stdin);
    let deadline = Instant::now() + patience;
    let output = stdout.rest(deadline).and_then(|stdout| Ok((stdout, stderr.rest(deadline)?)));
    let Ok((stdout, stderr)) = output else {
        child.kill().unwrap_or_default();
        child.wait().map(drop).unwrap_or_default();
        bail!("{program} did not end within {patience:?}: {command:?}");
    };
    let status = child.wait().with_context(|| format!("wait for {program}"))?;
    if !status.success() {
        let said = [stdout, stderr].concat().join("\n");
        bail!("{status} from {command:?}\n{said}\n{input}");
    }
    Ok(stdout.join("\n"))
}

/// Lets other processes run for a moment.
pub(super) fn pause() {
    let moment = PollTimeout::from(2_u8);
    // Woken early by a signal is as good: every caller looks again.
    poll(&mut [], moment).unwrap_or_default();
}
