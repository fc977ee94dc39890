// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why the plugin could not be put on the node, or taken off it.

use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// Why the plugin could not be put on the node, or taken off it. Unless an error says otherwise, nothing has changed.
#[derive(Debug, Error)]
pub enum InstallError {
    /// A system call failed.
    #[error("failed to {operation} {}: {cause}{hint}", .path.display())]
    Io { operation: &'static str, path: PathBuf, cause: io::Error, hint: &'static str },

    /// There are too many watches already.
    #[error("failed to make a watch on directories: {cause}; raise fs.inotify.max_user_instances")]
    Watch { cause: io::Error },

    /// The name of a file has a directory in it, or ends in something that no runtime reads.
    #[error(
        "`{name}` is not the name of a CNI configuration; write a name without `/` that ends in .conf or .conflist"
    )]
    Name { name: String },

    /// The list has Istio's plugin.
    #[error(
        "{} has an entry istio-cni, and a pod must not be intercepted twice; uninstall istio-cni, or let Interceptor \
         replace the entry (replaceIstioCni)",
        .path.display()
    )]
    IstioCni { path: PathBuf },

    /// There is a file of the name that would be written, and others have made it.
    #[error(
        "{} is not a file of Interceptor, and would be overwritten; remove it, or choose another name",
        .path.display()
    )]
    Occupied { path: PathBuf },

    /// The runtime reads another file first.
    #[error(
        "{} has no effect, because {} comes before it; choose a name that comes first",
        .path.display(),
        .by.display()
    )]
    Shadowed { path: PathBuf, by: PathBuf },

    /// What the runtime would read cannot be read here.
    #[error("{} is {what}; put a regular file of at most {limit} bytes there, or name another one", .path.display())]
    NotAFile { path: PathBuf, what: &'static str, limit: u64 },

    /// Others wrote to a file each time that it was about to be replaced.
    #[error("{} changes all the time; try again when it does not", .path.display())]
    Busy { path: PathBuf },

    /// The text that was read back is not the text that was written.
    #[error("{} does not hold what was written to it; look for errors of its file system", .path.display())]
    Mangled { path: PathBuf },

    /// The text of a configuration could not be made.
    #[error("failed to make JSON: {cause}")]
    Json { cause: serde_json::Error },

    /// No runtime would take our own entry.
    #[error("the entry of Interceptor is not valid: {reason}")]
    Entry { reason: String },
}

// The causes are in the texts, so no field has the name `source`: the end of a chain of errors would be told twice.

impl InstallError {
    /// The file or directory that is in the way, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Io { path, .. }
            | Self::IstioCni { path }
            | Self::Occupied { path }
            | Self::Shadowed { path, .. }
            | Self::NotAFile { path, .. }
            | Self::Busy { path }
            | Self::Mangled { path } => Some(path),
            Self::Watch { .. } | Self::Name { .. } | Self::Json { .. } | Self::Entry { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let cause = io::Error::other("the disk is gone");
        let error = InstallError::Io { operation: "read", path: PathBuf::from("/a"), cause, hint: "; mend it" };
        assert_eq!(
            format!("{:#}", anyhow::Error::from(error)),
            "failed to read /a: the disk is gone; mend it"
        );
    }
}
