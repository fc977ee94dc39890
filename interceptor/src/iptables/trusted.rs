// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Programs that this process runs as root: only such as no other user can have exchanged.

use std::{
    fs::{self, Metadata},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// Where to look if nobody says.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const WRITABLE_BY_OTHERS: u32 = 0o022;
const STICKY: u32 = 0o1000;

/// Looks for a program in the directories of `search`, as written in `PATH`. The error says what was found and may not
/// be used; it is empty if there was nothing.
pub(super) fn find(program: &str, search: Option<&str>) -> Result<PathBuf, String> {
    let search = search.unwrap_or(DEFAULT_PATH);
    let mut refused = String::new();
    for directory in search.split(':').filter(|directory| directory.starts_with('/')) {
        // Where a symbolic link leads, because that is what is run.
        let Ok(path) = fs::canonicalize(Path::new(directory).join(program)) else {
            continue;
        };
        match is_trusted(&path) {
            // Some programs do by their name what they do, so links are not followed when it is run.
            Ok(()) => return Ok(Path::new(directory).join(program)),
            Err(reason) => refused = reason,
        }
    }
    Err(refused)
}

/// Whether nobody but root can write to a program, or put another one in its place.
fn is_trusted(path: &Path) -> Result<(), String> {
    let metadata = look(path)?;
    if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
        return Err(format!("{} is no program", path.display()));
    }
    let mut sticky_is_fine = false;
    for part in path.ancestors() {
        let metadata = look(part)?;
        let mode = metadata.mode();
        // In a sticky directory, only root can rename what belongs to root.
        let is_writable = mode & WRITABLE_BY_OTHERS != 0 && !(sticky_is_fine && mode & STICKY != 0);
        if metadata.uid() != 0 || is_writable {
            let (uid, mode) = (metadata.uid(), mode & 0o7777);
            return Err(format!("{} belongs to user {uid} and has mode {mode:04o}", part.display()));
        }
        sticky_is_fine = true;
    }
    Ok(())
}

fn look(path: &Path) -> Result<Metadata, String> {
    fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_the_system_is_found_and_no_relative_directory_is_looked_in() {
        assert!(find("sh", None).is_ok());
        assert_eq!(find("sh", Some("bin:.:")), Err(String::new()));
        assert_eq!(find("no-such-program", None), Err(String::new()));
    }

    #[test]
    fn what_others_could_exchange_is_refused() {
        let work = tempfile::tempdir().unwrap();
        let program = work.path().join("iptables");
        fs::write(&program, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o777)).unwrap();
        let search = work.path().to_str().unwrap();
        let error = find("iptables", Some(search)).unwrap_err();
        assert!(error.contains("has mode 0777") || error.contains("belongs to user"), "{error}");
    }
}
