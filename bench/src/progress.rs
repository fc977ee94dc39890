// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How far the run is.

use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar with the time left, drawn only where somebody looks.
pub struct Progress(ProgressBar);

impl Progress {
    /// For this many rounds.
    pub fn new(rounds: u64) -> Self {
        let target = if io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let style = ProgressStyle::with_template("{bar:30} {percent:>3} %, {eta} left: {msg}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(ProgressBar::with_draw_target(Some(rounds), target).with_style(style))
    }

    pub(crate) fn begin(&self, what: &str) {
        self.0.set_message(what.to_owned());
    }

    pub(crate) fn advance(&self) {
        self.0.inc(1);
    }

    /// Does something that prints, out of the bar's way.
    pub fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }

    pub fn end(&self) {
        self.0.finish_and_clear();
    }
}
