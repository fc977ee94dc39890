// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reading what a child process says, with a deadline.

use std::{
    io::Read,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

/// The lines of a pipe.
pub(crate) struct Lines<R> {
    pipe: R,
    buffered: Vec<u8>,
    ended: bool,
}

/// Nothing came before the deadline.
#[derive(Debug)]
pub(crate) struct TimedOut;

impl<R: Read + AsFd> Lines<R> {
    pub(crate) fn new(pipe: R) -> Self {
        Self { pipe, buffered: Vec::new(), ended: false }
    }

    /// The next line without its end; `None` at the end of the stream.
    pub(crate) fn next(&mut self, deadline: Instant) -> Result<Option<String>, TimedOut> {
        loop {
            if let Some(end) = self.buffered.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffered.drain(..=end).collect();
                return Ok(Some(String::from_utf8_lossy(&line[..end]).into_owned()));
            }
            if self.ended {
                let rest = std::mem::take(&mut self.buffered);
                return Ok((!rest.is_empty()).then(|| String::from_utf8_lossy(&rest).into_owned()));
            }
            self.fill(deadline)?;
        }
    }

    /// Everything up to the end of the stream.
    pub(crate) fn rest(&mut self, deadline: Instant) -> Result<Vec<String>, TimedOut> {
        let mut lines = Vec::new();
        while let Some(line) = self.next(deadline)? {
            lines.push(line);
        }
        Ok(lines)
    }

    fn fill(&mut self, deadline: Instant) -> Result<(), TimedOut> {
        if !readable(&self.pipe, deadline) {
            return Err(TimedOut);
        }
        let mut chunk = [0; 8 * 1024];
        let count = self.pipe.read(&mut chunk).expect("read from a child process");
        self.ended = count == 0;
        self.buffered.extend_from_slice(&chunk[..count]);
        Ok(())
    }
}

/// Whether there is something to read (the end counts) before `deadline`.
fn readable(pipe: &impl AsFd, deadline: Instant) -> bool {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left.max(Duration::from_millis(1))).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) | Err(Errno::EINTR) if Instant::now() >= deadline => return false,
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return true,
            Err(error) => panic!("poll a child process: {error}"),
        }
    }
}
