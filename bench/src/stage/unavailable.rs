// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why a variant cannot be measured on this machine. Found by trying, never by asking for a version.

use std::fmt;

use serde::Serialize;
use testkit::Run;

#[derive(Clone, Debug, Serialize)]
pub struct Unavailable(pub String);

impl Unavailable {
    /// An error unless the program succeeded.
    pub(crate) fn unless(run: &Run) -> Result<(), Self> {
        if run.code == Some(0) { Ok(()) } else { Err(Self::because(run)) }
    }

    /// What a program that failed said first.
    pub(crate) fn because(failed: &Run) -> Self {
        let said = failed.output();
        let reason = said
            .lines()
            .map(str::trim)
            .find(|line| !line.is_empty())
            .unwrap_or("it said nothing");
        Self(reason.to_owned())
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
