// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reading what a child process says, with a deadline.

use std::{
    io::{BufRead as _, BufReader, Read},
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::Instant,
};

/// The lines of a pipe. A thread reads them as they come, so the process at the other end never waits for somebody who
/// does not care.
pub struct Lines(Mutex<Receiver<String>>);

/// Nothing came before the deadline.
#[derive(Debug)]
pub struct TimedOut;

impl Lines {
    pub fn new(pipe: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = channel();
        thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
                // Whoever asked for the lines may be gone; the pipe is read to its end all the same.
                sender.send(text).unwrap_or_default();
                line.clear();
            }
        });
        Self(Mutex::new(receiver))
    }

    /// The next line without its end; `None` at the end of the stream.
    pub fn next(&self, deadline: Instant) -> Result<Option<String>, TimedOut> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(TimedOut),
        }
    }

    /// Everything up to the end of the stream.
    pub fn rest(&self, deadline: Instant) -> Result<Vec<String>, TimedOut> {
        let mut lines = Vec::new();
        while let Some(line) = self.next(deadline)? {
            lines.push(line);
        }
        Ok(lines)
    }
}
