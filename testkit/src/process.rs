// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A child process that ends with the test.

use std::{
    io::Write as _,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use interceptor_verify::{Lines, TimedOut};
use nix::{sys::signal::Signal, unistd::Pid};
use serde::de::DeserializeOwned;

use crate::wait::timeout;

/// A running child process whose standard output is read line by line. Killed and waited for when dropped.
pub struct Process {
    what: String,
    child: Child,
    stdout: Lines,
    is_left: bool,
}

/// What a process said until it ended.
#[derive(Debug)]
pub struct Finished {
    pub status: ExitStatus,
    pub lines: Vec<String>,
}

impl Process {
    pub fn spawn(what: impl Into<String>, command: &mut Command) -> Self {
        let what = what.into();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("start {what}: {error}"));
        let stdout = Lines::new(child.stdout.take().expect("standard output is a pipe"));
        Self { what, child, stdout, is_left: false }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child
            .try_wait()
            .unwrap_or_else(|error| panic!("look at {}: {error}", self.what))
            .is_some()
    }

    /// The next line. Panics when the process ends or stays silent instead.
    pub fn line(&mut self) -> String {
        let what = &self.what;
        match self.stdout.next(Instant::now() + timeout()) {
            Ok(Some(line)) => line,
            Ok(None) => panic!("{what} ended without an answer"),
            Err(TimedOut) => panic!("{what} did not answer within {:?}", timeout()),
        }
    }

    /// The next line, as the JSON it is. Panics as [`Self::line`] does.
    pub fn json<T: DeserializeOwned>(&mut self) -> T {
        let line = self.line();
        let what = &self.what;
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{what} said {line:?}: {error}"))
    }

    /// Writes a line to its standard input.
    pub fn say(&mut self, line: &str) {
        let what = &self.what;
        let stdin = self.child.stdin.as_mut().expect("standard input is open");
        writeln!(stdin, "{line}").unwrap_or_else(|error| panic!("write to {what}: {error}"));
    }

    /// Closes its standard input: for our probes the sign to come to an end.
    pub fn close_stdin(&mut self) {
        drop(self.child.stdin.take());
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().expect("a pid"));
        // The child is not waited for before `finish` or the drop, so the number is still its own.
        nix::sys::signal::kill(pid, signal).unwrap_or_else(|error| panic!("send {signal} to {}: {error}", self.what));
    }

    /// Reads on until it ends by itself.
    pub fn finish(self) -> Finished {
        self.try_finish().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Says what went wrong instead of panicking, for those that clean up after a panic.
    pub(crate) fn try_finish(mut self) -> Result<Finished, String> {
        self.close_stdin();
        let what = &self.what;
        let Ok(lines) = self.stdout.rest(Instant::now() + timeout()) else {
            return Err(format!("{what} did not end within {:?}", timeout()));
        };
        let status = self.child.wait().map_err(|error| format!("wait for {what}: {error}"))?;
        Ok(Finished { status, lines })
    }

    /// Lets it run on when the test is gone.
    pub(crate) fn leave(mut self) {
        self.is_left = true;
    }

    /// Asks it to end (SIGTERM), and reads what it still has to say.
    pub fn stop(self) -> Finished {
        self.signal(Signal::SIGTERM);
        self.finish()
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(self) {
        drop(self);
    }

    /// Kills it unless it has ended within `grace`; says whether it had to.
    pub fn kill_after(mut self, grace: Duration) -> bool {
        let late = self.stdout.rest(Instant::now() + grace).is_err();
        if late {
            self.signal(Signal::SIGKILL);
        }
        self.child
            .wait()
            .unwrap_or_else(|error| panic!("wait for {}: {error}", self.what));
        late
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_left {
            return;
        }
        // Both fail only when it has been waited for already.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}
