// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The agent's run directory, and the plugin's own files in it. Root writes there, so neither the directory nor a file
//! is used if anybody else could have made it. It creates no directory: that is the agent's.

use std::{
    fs::File,
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, open, openat, renameat, statat},
    process::geteuid,
};

#[derive(Debug)]
pub(crate) struct RunDir {
    path: PathBuf,
    directory: OwnedFd,
}

impl RunDir {
    /// The error is [`io::ErrorKind::NotFound`] if the agent never ran here.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = open(path, flags, Mode::empty())?;
        let stat = fstat(&directory)?;
        if is_ours(&stat) && stat.st_mode & 0o022 == 0 {
            Ok(Self { path: path.to_owned(), directory })
        } else {
            Err(foreign(
                path,
                "it belongs to another user, or others may write to it; use chown and chmod 0700",
            ))
        }
    }

    /// Opens a file for appending, and makes it if it is missing.
    pub(crate) fn file(&self, name: &str) -> io::Result<File> {
        // Neither a link is followed, nor is a pipe waited for that somebody put there.
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let flags = flags | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = openat(&self.directory, name, flags, Mode::RUSR | Mode::WUSR)?;
        let stat = fstat(&file)?;
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        if is_file && is_ours(&stat) && stat.st_nlink == 1 {
            Ok(file.into())
        } else {
            Err(foreign(&self.path.join(name), "it is not this program's own file; remove it"))
        }
    }

    /// Gives `file`, which is called `name`, another name. Nothing happens if another file has the name by now.
    pub(crate) fn rename(&self, file: &File, name: &str, to: &str) -> io::Result<()> {
        let [opened, named] = [fstat(file)?, statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW)?];
        if (opened.st_dev, opened.st_ino) == (named.st_dev, named.st_ino) {
            renameat(&self.directory, name, &self.directory, to)?;
        }
        Ok(())
    }
}

fn is_ours(stat: &Stat) -> bool {
    stat.st_uid == 0 || stat.st_uid == geteuid().as_raw()
}

fn foreign(path: &Path, why: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("{} is not used: {why}", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt as _, symlink},
    };

    use rstest::rstest;

    use super::*;

    fn directory(mode: u32) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(mode)).unwrap();
        directory
    }

    #[rstest]
    #[case(0o700, true)]
    #[case(0o755, true)]
    #[case(0o770, false)]
    #[case(0o1777, false)]
    fn a_directory_that_others_may_write_to_is_not_used(#[case] mode: u32, #[case] good: bool) {
        let work = directory(mode);
        assert_eq!(RunDir::open(work.path()).is_ok(), good);
    }

    #[test]
    fn a_link_in_the_place_of_the_directory_is_not_followed() {
        let work = directory(0o700);
        symlink(work.path(), work.path().join("link")).unwrap();
        RunDir::open(&work.path().join("link")).unwrap_err();
    }

    #[test]
    fn a_link_in_the_place_of_a_file_is_not_followed() {
        let work = directory(0o700);
        fs::write(work.path().join("precious"), "precious").unwrap();
        symlink("precious", work.path().join("log")).unwrap();
        fs::hard_link(work.path().join("precious"), work.path().join("other")).unwrap();
        let run_dir = RunDir::open(work.path()).unwrap();
        run_dir.file("log").unwrap_err();
        run_dir.file("other").unwrap_err();
    }

    #[test]
    fn a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for() {
        let work = directory(0o700);
        rustix::fs::mkfifoat(rustix::fs::CWD, work.path().join("log"), Mode::RWXU).unwrap();
        RunDir::open(work.path()).unwrap().file("log").unwrap_err();
    }

    #[test]
    fn a_file_is_made_for_this_user_alone() {
        let work = directory(0o700);
        RunDir::open(work.path()).unwrap().file("log").unwrap();
        let mode = fs::metadata(work.path().join("log")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn another_file_of_the_name_is_not_renamed() {
        let work = directory(0o700);
        let run_dir = RunDir::open(work.path()).unwrap();
        let before = run_dir.file("log").unwrap();
        run_dir.rename(&before, "log", "log.1").unwrap();
        run_dir.file("log").unwrap();
        run_dir.rename(&before, "log", "log.1").unwrap();
        assert!(work.path().join("log").exists());
    }
}
