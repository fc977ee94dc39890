// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why a document is refused, and at which line.

use std::{error::Error, fmt};

/// A document that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Counted from 1, in the file.
    line: usize,
    reason: String,
}

impl Fault {
    pub(super) fn new(line: usize, reason: String) -> Self {
        Self { line, reason }
    }

    /// The same fault in a file in which the text begins at `first_line`.
    pub(super) fn below(self, first_line: usize) -> Self {
        Self { line: self.line + first_line - 1, ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, reason } = self;
        write!(f, "line {line}: {reason}")
    }
}

impl Error for Fault {}
