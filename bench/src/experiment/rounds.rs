// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What an experiment needs while it runs: the number of rounds, chance, the progress bar and Ctrl-C. Measures
//! nothing.

use rand::{SeedableRng as _, rngs::SmallRng};
use testkit::Interrupt;

use crate::progress::Progress;

pub(super) struct Rounds<'a> {
    count: usize,
    chance: SmallRng,
    progress: &'a Progress,
    interrupt: &'a Interrupt,
}

impl<'a> Rounds<'a> {
    pub(super) fn new(count: usize, seed: u64, progress: &'a Progress, interrupt: &'a Interrupt) -> Self {
        Self { count, chance: SmallRng::seed_from_u64(seed), progress, interrupt }
    }

    pub(super) const fn count(&self) -> usize {
        self.count
    }

    pub(super) const fn chance(&mut self) -> &mut SmallRng {
        &mut self.chance
    }

    pub(super) fn begin(&self, what: &str) {
        self.progress.begin(what);
    }

    pub(super) fn advance(&self) {
        self.progress.advance();
    }

    /// Fails after Ctrl-C.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        self.interrupt.check()
    }
}
