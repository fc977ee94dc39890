// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A connection that outlives a change of the rules.

use crate::{process::Process, records::Report};

/// An open connection to an `interceptor-probe serve`, in a process of its own.
pub struct OpenConnection {
    process: Process,
    report: Report,
}

impl OpenConnection {
    pub(crate) fn new(mut process: Process) -> Self {
        let report = process.json();
        Self { process, report }
    }

    /// What connecting gave.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Sends a line and waits for the same line to come back.
    #[track_caller]
    pub fn expect_echo(&mut self, line: &str) {
        assert_eq!(self.try_echo(line), Ok(line.to_owned()), "the connection no longer works");
    }

    /// The same, and what the socket looks like afterward.
    #[track_caller]
    pub fn look(&mut self) -> Report {
        self.process.say("look");
        let report: Report = self.process.json();
        assert_eq!(report.received.as_deref(), Some("look"), "the connection no longer works");
        report
    }

    /// Sends a line; what came back, or the errno.
    pub fn try_echo(&mut self, line: &str) -> Result<String, String> {
        self.process.say(line);
        let Report { received, error, .. } = self.process.json();
        received.ok_or_else(|| error.map_or_else(|| "end of stream".to_owned(), |failure| failure.errno))
    }
}
