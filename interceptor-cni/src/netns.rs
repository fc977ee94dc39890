// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The pod's network namespace. It is opened and looked at, never entered.

use std::{
    fs::{metadata, read_link},
    io,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::fs::MetadataExt as _,
    },
};

use rustix::fs::{Mode, OFlags, fstat, open as open_file};

use crate::error::{CniError, code};

/// Opens `CNI_NETNS`. What is no network namespace, or is the node's own, is refused.
pub(crate) fn open(path: Option<&str>) -> Result<OwnedFd, CniError> {
    let Some(path) = path else {
        return Err(CniError::new(
            code::BAD_ENVIRONMENT,
            "CNI_NETNS is missing or empty, and the runtime has to set it",
        ));
    };
    // Not waiting: a pipe that nobody writes to would never open.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = open_file(path, flags, Mode::empty()).map_err(|error| bad(path, "cannot be opened", &error.into()))?;
    check(path, &file)?;
    Ok(file)
}

fn check(path: &str, file: &OwnedFd) -> Result<(), CniError> {
    let failed = |error: &io::Error| bad(path, "cannot be looked at", error);
    let name = read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).map_err(|error| failed(&error))?;
    let stat = fstat(file).map_err(|error| failed(&error.into()))?;
    let namespaces = metadata("/proc/self/ns/net").map_err(|error| failed(&error))?.dev();
    // All namespaces are on one device. One that is mounted, as runtimes do it, has the name of its mount point, so
    // that the agent has to ask for its kind; the others have a name that tells.
    let name_tells = name.as_os_str().as_encoded_bytes();
    if stat.st_dev != namespaces || !(name_tells.starts_with(b"/") || name_tells.starts_with(b"net:[")) {
        let what = format!("is no network namespace, but {}", name.display());
        return Err(bad(path, &what, &io::ErrorKind::InvalidInput.into()));
    }
    for own in ["/proc/self/ns/net", "/proc/1/ns/net"] {
        let own = match metadata(own) {
            Ok(own) => own,
            // A runtime in a container may not look at the first process. Its own namespace is the node's, then.
            Err(error) if own.starts_with("/proc/1/") && error.kind() == io::ErrorKind::PermissionDenied => continue,
            Err(error) => return Err(failed(&error)),
        };
        if (own.dev(), own.ino()) == (stat.st_dev, stat.st_ino) {
            return Err(bad(
                path,
                "is the node's own network namespace",
                &io::ErrorKind::InvalidInput.into(),
            ));
        }
    }
    Ok(())
}

fn bad(path: &str, what: &str, error: &io::Error) -> CniError {
    CniError::new(
        code::BAD_NETNS,
        format!("CNI_NETNS={path} {what}; the runtime has to name the pod's network namespace"),
    )
    .details(error.to_string())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::own("/proc/self/ns/net", "is the node's own network namespace")]
    #[case::another_kind("/proc/self/ns/mnt", "is no network namespace, but mnt:[")]
    #[case::file("/proc/self/status", "is no network namespace, but /proc/")]
    #[case::directory("/", "is no network namespace, but /;")]
    #[case::missing("/nowhere", "cannot be opened")]
    fn what_is_no_pods_network_namespace_is_refused(#[case] path: &str, #[case] why: &str) {
        let error = open(Some(path)).unwrap_err();
        assert_eq!(error.code, code::BAD_NETNS);
        assert!(error.msg.starts_with(&format!("CNI_NETNS={path} {why}")), "{error:?}");
    }

    #[test]
    fn a_pipe_is_refused_and_not_waited_for() {
        let work = tempfile::tempdir().unwrap();
        let path = work.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, Mode::RWXU).unwrap();
        assert_eq!(open(path.to_str()).unwrap_err().code, code::BAD_NETNS);
    }
}
