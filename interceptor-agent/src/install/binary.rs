// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The plugin's program in the directory of plugins. A program that runs meanwhile keeps its old file.

use std::{fs, path::Path};

use super::{
    directory::{Attributes, Directory, Found, Replaced},
    entry::PLUGIN,
    error::InstallError,
};

/// How long a program may be.
const MAX_PROGRAM: u64 = 256 * 1024 * 1024;
const ATTRIBUTES: Attributes = Attributes { mode: 0o755, owner: None };

/// The program, as it should be.
#[derive(Debug)]
pub(super) struct Program {
    text: Vec<u8>,
}

impl Program {
    pub(super) fn read(path: &Path) -> Result<Self, InstallError> {
        let text = fs::read(path).map_err(|cause| InstallError::Io {
            operation: "read",
            path: path.to_owned(),
            cause,
            hint: "",
        })?;
        Ok(Self { text })
    }

    pub(super) fn is_in(&self, directory: &Directory) -> Result<bool, InstallError> {
        Ok(directory.read(PLUGIN, MAX_PROGRAM)?.is_some_and(|found| self.is(&found)))
    }

    /// Puts the program there, unless it is there already.
    pub(super) fn put_into(&self, directory: &Directory) -> Result<Replaced, InstallError> {
        match directory.read(PLUGIN, MAX_PROGRAM)? {
            Some(found) if self.is(&found) => Ok(Replaced::Done),
            found => directory.replace(PLUGIN, &self.text, ATTRIBUTES, found.map(|found| found.version)),
        }
    }

    fn is(&self, found: &Found) -> bool {
        found.text == self.text && found.attributes.mode == ATTRIBUTES.mode
    }
}

/// Takes the program out of the directory, whichever version of it is there.
pub(super) fn remove_from(directory: &Directory) -> Result<Replaced, InstallError> {
    match directory.read(PLUGIN, MAX_PROGRAM)? {
        Some(found) => directory.remove(PLUGIN, found.version),
        None => Ok(Replaced::Done),
    }
}
