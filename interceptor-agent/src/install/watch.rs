// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Says that something in a directory has changed. What it was is for the caller to look at, for by then it may have
//! changed again.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    path::Path,
    time::Duration,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::inotify::{AddWatchFlags, InitFlags, Inotify},
};

use super::{directory::TEMPORARY, error::InstallError};

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// A file.
    File,
    /// A directory is gone or was moved. A new watch is needed, for the new directory. containerd needs a restart
    /// then, because it goes on watching the old one
    /// ([containerd#6490](https://github.com/containerd/containerd/issues/6490)).
    Directory,
}

/// A watch on directories. Set it before the first look, and no change is missed.
#[derive(Debug)]
pub struct Watch {
    inotify: Inotify,
}

impl Watch {
    /// Watches these directories, but not what is below them.
    pub fn new(directories: &[&Path]) -> Result<Self, InstallError> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)
            .map_err(|errno| InstallError::Watch { cause: errno.into() })?;
        let files = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_DELETE;
        let directory = AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_MOVE_SELF | AddWatchFlags::IN_ONLYDIR;
        for path in directories {
            inotify.add_watch(*path, files | directory).map_err(|errno| InstallError::Io {
                operation: "watch",
                path: (*path).to_owned(),
                cause: errno.into(),
                hint: "",
            })?;
        }
        Ok(Self { inotify })
    }

    /// What has changed since the last call. `None` if nothing has. Does not wait: the descriptor becomes readable
    /// when there is a change.
    pub fn changed(&self) -> io::Result<Option<Change>> {
        let mut change = None;
        loop {
            let events = match self.inotify.read_events() {
                Ok(events) => events,
                Err(Errno::EAGAIN) => return Ok(change),
                Err(errno) => return Err(errno.into()),
            };
            let gone = AddWatchFlags::IN_IGNORED
                | AddWatchFlags::IN_UNMOUNT
                | AddWatchFlags::IN_DELETE_SELF
                | AddWatchFlags::IN_MOVE_SELF;
            let of_others = events.iter().filter(|event| {
                let name = event.name.as_deref().unwrap_or_default();
                !name.to_string_lossy().contains(TEMPORARY)
            });
            change = change.max(
                of_others
                    .map(|event| if event.mask.intersects(gone) { Change::Directory } else { Change::File })
                    .max(),
            );
        }
    }

    /// Waits for a change, at most this long. A signal ends it sooner.
    pub fn wait(&self, at_most: Duration) -> io::Result<Option<Change>> {
        let timeout = PollTimeout::try_from(at_most).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(self.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(_) | Err(Errno::EINTR) => self.changed(),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}
