// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keeps the plugin in place. It is asked after each change of the directories; it neither waits nor looks at a clock.

use std::{path::PathBuf, time::Instant};

use super::{
    conflicts::Conflicts,
    error::InstallError,
    installation::{Installation, Outcome, Standing},
};

/// Keeps an installation as it should be.
#[derive(Debug)]
pub struct Keeper {
    installation: Installation,
    conflicts: Conflicts,
}

/// What was done, and when to ask again if no directory changes before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// All is as it should be.
    InForce { file: PathBuf },
    /// Something was missing, and has been put back.
    Repaired { file: PathBuf },
    /// Something is missing, and it is put back no sooner than this, because somebody else takes it out.
    Later { at: Instant },
    /// No other plugin has made a valid configuration yet.
    NoList { why: Vec<String> },
}

impl Keeper {
    pub fn new(installation: Installation) -> Self {
        Self { installation, conflicts: Conflicts::default() }
    }

    /// Looks at the directories, and puts back what is missing if it is time. After an error, ask again when a
    /// directory changes or some seconds have passed.
    pub fn look(&mut self, now: Instant) -> Result<Step, InstallError> {
        match self.installation.check()? {
            Standing::InForce { file } => {
                self.conflicts.found();
                Ok(Step::InForce { file })
            }
            // The program is put in place all the same.
            Standing::NoList { .. } => self.put(now),
            Standing::Lost { .. } => match self.conflicts.lost(now) {
                at if now < at => Ok(Step::Later { at }),
                _due => self.put(now),
            },
        }
    }

    /// Who else writes the list.
    pub const fn conflicts(&self) -> &Conflicts {
        &self.conflicts
    }

    pub const fn installation(&self) -> &Installation {
        &self.installation
    }

    fn put(&mut self, now: Instant) -> Result<Step, InstallError> {
        match self.installation.install()? {
            Outcome::Installed { file, .. } => {
                self.conflicts.repaired(now);
                Ok(Step::Repaired { file })
            }
            Outcome::NoList { why } => Ok(Step::NoList { why }),
        }
    }
}
