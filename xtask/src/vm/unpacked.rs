// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Debian's packages, unpacked into a folder of their own and not installed. They are fetched once and kept.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

/// Unpacks what `fetch` fetches into `home`, unless that is there. `fetch` gets an empty folder and returns the paths
/// of archives.
pub(super) fn once(home: &Path, no_install: bool, fetch: impl FnOnce(&Path) -> Result<Vec<PathBuf>>) -> Result<()> {
    if home.exists() {
        return Ok(());
    }
    if no_install {
        bail!("there is no {}, and nothing may be fetched (--no-install)", home.display());
    }
    let partial = home.with_added_extension("partial");
    let fetched = partial.join("fetched");
    remove(&partial)?;
    fs::create_dir_all(&fetched).with_context(|| format!("cannot make {}", fetched.display()))?;
    for archive in fetch(&fetched)? {
        let mut unpack = Command::new("dpkg-deb");
        unpack.arg("--extract").arg(&archive).arg(&partial);
        let status = unpack.status().context("cannot start dpkg-deb")?;
        ensure!(status.success(), "cannot unpack {}: {status}", archive.display());
    }
    remove(&fetched)?;
    fs::rename(&partial, home).with_context(|| format!("cannot rename {}", partial.display()))
}

/// Removes a folder, if it is there.
pub(super) fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn never(_folder: &Path) -> Result<Vec<PathBuf>> {
        panic!("something was fetched")
    }

    #[test]
    fn what_is_there_is_not_fetched_again() {
        let folder = tempfile::tempdir().unwrap();
        once(folder.path(), false, never).unwrap();
    }

    #[test]
    fn nothing_is_fetched_if_nothing_may_be_installed() {
        let folder = tempfile::tempdir().unwrap();
        let error = once(&folder.path().join("6.1"), true, never).unwrap_err().to_string();
        assert!(error.contains("6.1") && error.contains("--no-install"), "{error}");
    }

    #[test]
    fn what_was_fetched_in_part_is_fetched_again() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("6.1");
        for _attempt in 0..2 {
            let fetched = once(&home, false, |folder| {
                assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
                fs::write(folder.join("half.deb"), "").unwrap();
                bail!("the network is gone")
            });
            assert_eq!(fetched.unwrap_err().to_string(), "the network is gone");
            assert!(!home.exists());
        }
        once(&home, false, |_folder| Ok(Vec::new())).unwrap();
        assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
    }
}
