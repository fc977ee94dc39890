// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A directory that others write to as well. It is opened once, and all names are looked up in what was opened. Links
//! are not followed, a file is replaced as a whole, and a file that others have changed meanwhile is not replaced.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, Write as _},
    os::{fd::OwnedFd, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
    process,
};

use nix::{
    dir::Dir,
    errno::Errno,
    fcntl::{AtFlags, OFlag, open, openat, renameat},
    sys::stat::{Mode, fchmod},
    unistd::{AccessFlags, Gid, Uid, UnlinkatFlags, faccessat, fchown, fsync, unlinkat},
};

use super::error::InstallError;

/// In the name of each temporary file. The name ends in digits, so no runtime takes the file for a configuration.
pub(super) const TEMPORARY: &str = ".tmp.interceptor.";
/// So many temporary files of one name are there at once, or something is wrong.
const MAX_TEMPORARY: u32 = 100;

/// What a directory is called that stands where a file is expected. Runtimes read none.
pub(super) const A_DIRECTORY: &str = "a directory";

/// An open directory.
#[derive(Debug)]
pub(super) struct Directory {
    fd: OwnedFd,
    path: PathBuf,
}

/// A file that was read.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) text: Vec<u8>,
    pub(super) attributes: Attributes,
    pub(super) version: Version,
}

/// What a file keeps when its text is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) mode: u32,
    /// User and group; without them, those of this process.
    pub(super) owner: Option<(u32, u32)>,
}

/// Changes whenever a file is replaced or written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    inode: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// What became of a file that was to be replaced or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Replaced {
    Done,
    /// Others have changed it since it was read, and nothing was done.
    ChangedMeanwhile,
}

impl Directory {
    pub(super) fn open(path: &Path) -> Result<Self, InstallError> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let fd = open(path, flags, Mode::empty()).map_err(|errno| InstallError::Io {
            operation: "open the directory",
            path: path.to_owned(),
            cause: errno.into(),
            hint: "; mount the host's directory there, or name another one",
        })?;
        Ok(Self { fd, path: path.to_owned() })
    }

    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Refuses a directory in which no file can be made. The hint ends the error's message.
    pub(super) fn check_writable(&self, hint: &'static str) -> Result<(), InstallError> {
        faccessat(&self.fd, ".", AccessFlags::W_OK | AccessFlags::X_OK, AtFlags::empty()).map_err(|errno| {
            InstallError::Io { operation: "write to", path: self.path.clone(), cause: errno.into(), hint }
        })
    }

    /// The names of all files, in the order of their bytes.
    pub(super) fn names(&self) -> Result<Vec<String>, InstallError> {
        let failed = |errno| failed("list", &self.path, errno);
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut names = Vec::new();
        // A descriptor of its own, because a list goes on where the last one ended.
        for entry in Dir::openat(&self.fd, ".", flags, Mode::empty()).map_err(failed)?.iter() {
            names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Reads a regular file. `None` if there is no file of this name.
    pub(super) fn read(&self, name: &str, limit: u64) -> Result<Option<Found>, InstallError> {
        let path = || self.path_of(name);
        let not_a_file = |what| InstallError::NotAFile { path: path(), what, limit };
        // Without O_NONBLOCK, a pipe would wait for somebody who writes to it.
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = match openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::ENOENT) => return Ok(None),
            Err(Errno::ELOOP) => return Err(not_a_file("a symbolic link")),
            Err(Errno::ENXIO) => return Err(not_a_file("no regular file")), // a socket
            Err(errno) => return Err(failed("open", &path(), errno)),
        };
        let metadata = file.metadata().map_err(|source| failed("look at", &path(), source))?;
        if !metadata.is_file() {
            return Err(not_a_file(if metadata.is_dir() { A_DIRECTORY } else { "no regular file" }));
        }
        let mut text = Vec::new();
        file.take(limit + 1)
            .read_to_end(&mut text)
            .map_err(|source| failed("read", &path(), source))?;
        if text.len() as u64 > limit {
            return Err(not_a_file("too large"));
        }
        let attributes = Attributes { mode: metadata.mode() & 0o7777, owner: Some((metadata.uid(), metadata.gid())) };
        Ok(Some(Found { text, attributes, version: Version::of(&metadata) }))
    }

    /// Gives a file a new text, unless it is another file or has another version by now. `None` if there was no such
    /// file. A writer that comes in the microseconds between comparison and rename is not noticed.
    pub(super) fn replace(
        &self,
        name: &str,
        text: &[u8],
        attributes: Attributes,
        expected: Option<Version>,
    ) -> Result<Replaced, InstallError> {
        let path = self.path_of(name);
        let temporary = self.temporary(name)?;
        temporary
            .fill(text, attributes)
            .map_err(|source| failed("write", &path, source))?;
        if !temporary.holds(text).map_err(|source| failed("read back", &path, source))? {
            return Err(InstallError::Mangled { path });
        }
        if self.version(name)? != expected {
            return Ok(Replaced::ChangedMeanwhile);
        }
        temporary.rename_to(name).map_err(|errno| failed("replace", &path, errno))?;
        self.sync()?;
        Ok(Replaced::Done)
    }

    /// Removes a file, unless it is another file or has another version by now.
    pub(super) fn remove(&self, name: &str, expected: Version) -> Result<Replaced, InstallError> {
        if self.version(name)? != Some(expected) {
            return Ok(Replaced::ChangedMeanwhile);
        }
        let path = self.path_of(name);
        unlinkat(&self.fd, name, UnlinkatFlags::NoRemoveDir).map_err(|errno| failed("remove", &path, errno))?;
        self.sync()?;
        Ok(Replaced::Done)
    }

    /// Removes what killed runs have left behind.
    pub(super) fn sweep(&self) -> Result<(), InstallError> {
        for name in self.names()?.iter().filter(|name| name.contains(TEMPORARY)) {
            match unlinkat(&self.fd, name.as_str(), UnlinkatFlags::NoRemoveDir) {
                // No run leaves a directory.
                Ok(()) | Err(Errno::ENOENT | Errno::EISDIR) => {}
                Err(errno) => return Err(failed("remove", &self.path_of(name), errno)),
            }
        }
        Ok(())
    }

    /// The version of what has this name now, whatever it is.
    fn version(&self, name: &str) -> Result<Option<Version>, InstallError> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let found = match openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => File::from(fd).metadata().map(|metadata| Some(Version::of(&metadata))),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        };
        found.map_err(|source| failed("look at", &self.path_of(name), source))
    }

    fn temporary(&self, name: &str) -> Result<Temporary<'_>, InstallError> {
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut result = Err(Errno::EEXIST);
        for number in 0..MAX_TEMPORARY {
            let name = format!("{name}{TEMPORARY}{}.{number}", process::id());
            result = openat(&self.fd, name.as_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR).map(|fd| Temporary {
                directory: self,
                name,
                file: File::from(fd),
                is_renamed: false,
            });
            if !matches!(result, Err(Errno::EEXIST)) {
                break;
            }
        }
        result.map_err(|errno| failed("make a temporary file for", &self.path_of(name), errno))
    }

    fn sync(&self) -> Result<(), InstallError> {
        fsync(&self.fd).map_err(|errno| failed("write out", &self.path, errno))
    }
}

impl Version {
    fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            inode: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// A file that goes away unless it gets its proper name.
struct Temporary<'a> {
    directory: &'a Directory,
    name: String,
    file: File,
    is_renamed: bool,
}

impl Temporary<'_> {
    fn fill(&self, text: &[u8], attributes: Attributes) -> io::Result<()> {
        let Attributes { mode, owner } = attributes;
        (&self.file).write_all(text)?;
        if let Some((user, group)) = owner {
            fchown(&self.file, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))?;
        }
        fchmod(&self.file, Mode::from_bits_truncate(mode))?;
        self.file.sync_all()
    }

    fn holds(&self, text: &[u8]) -> io::Result<bool> {
        let mut file = &self.file;
        file.rewind()?;
        let mut found = Vec::with_capacity(text.len());
        file.read_to_end(&mut found)?;
        Ok(found == text)
    }

    fn rename_to(mut self, name: &str) -> nix::Result<()> {
        renameat(&self.directory.fd, self.name.as_str(), &self.directory.fd, name)?;
        self.is_renamed = true;
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.is_renamed {
            // The next run removes what stays behind.
            unlinkat(&self.directory.fd, self.name.as_str(), UnlinkatFlags::NoRemoveDir).ok();
        }
    }
}

fn failed(operation: &'static str, path: &Path, cause: impl Into<io::Error>) -> InstallError {
    InstallError::Io { operation, path: path.to_owned(), cause: cause.into(), hint: "" }
}
