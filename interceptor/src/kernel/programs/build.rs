// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which build a directory of pinned programs holds. The directory tells it itself: one of its programs has a second
//! pin, whose name is that of the build. So whatever renames the directory takes the answer along.

use std::{fmt, fs, io, path::Path};

use anyhow::{Context as _, Result};

use crate::kernel::{
    programs::{embedded::OBJECT, fingerprint::fingerprint_of, table::ProgramInfo},
    sys,
};

const PREFIX: &str = "build_";

/// Hexadecimal ones of a fingerprint.
const DIGITS: usize = 16;

/// A build of the kernel programs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Build {
    /// The version of the package.
    pub version: String,
    /// Tells builds of one version apart.
    pub fingerprint: u64,
}

impl Build {
    /// The build that is part of this program.
    pub(crate) fn this() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            fingerprint: fingerprint_of(&OBJECT),
        }
    }

    /// The build whose programs are pinned in `programs`. `None` if there are none, or nothing tells.
    pub(crate) fn of(programs: &Path) -> Result<Option<Self>> {
        let context = || format!("Failed to list {}", programs.display());
        let entries = match fs::read_dir(programs) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(context),
        };
        for entry in entries {
            let name = entry.with_context(context)?.file_name();
            if let Some(build) = name.to_str().and_then(Self::from_pin) {
                return Ok(Some(build));
            }
        }
        Ok(None)
    }

    /// Notes that the programs in `programs` are of this build, by another pin of one of them.
    pub(crate) fn note(&self, programs: &Path, one: ProgramInfo) -> Result<()> {
        let (from, to) = (programs.join(one.name), programs.join(self.pin()));
        let program = sys::bpf_obj_get(&from).with_context(|| format!("Failed to open {}", from.display()))?;
        sys::bpf_obj_pin(&program, &to).with_context(|| format!("Failed to pin {}", to.display()))
    }

    /// No name in a BPF file system may contain a dot, and no version has an underscore.
    fn pin(&self) -> String {
        format!("{PREFIX}{}_{:0DIGITS$x}", self.version.replace('.', "_"), self.fingerprint)
    }

    fn from_pin(name: &str) -> Option<Self> {
        let (version, fingerprint) = name.strip_prefix(PREFIX)?.rsplit_once('_')?;
        let fingerprint = u64::from_str_radix(fingerprint, 16)
            .ok()
            .filter(|_| fingerprint.len() == DIGITS)?;
        Some(Self { version: version.replace('_', "."), fingerprint })
    }
}

impl fmt::Display for Build {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({:016x})", self.version, self.fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_pin_tells_the_build() {
        let build = Build { version: "1.20.0-rc.1".to_owned(), fingerprint: 0x00ab_cdef_0123_4567 };
        assert_eq!(build.pin(), "build_1_20_0-rc_1_00abcdef01234567");
        assert_eq!(Build::from_pin(&build.pin()), Some(build));
    }

    #[test]
    fn the_pin_of_a_program_tells_no_build() {
        for name in ["on_connect4", "build_", "build_1_0_0", "build_1_0_0_xyz"] {
            assert_eq!(Build::from_pin(name), None, "{name}");
        }
    }
}
