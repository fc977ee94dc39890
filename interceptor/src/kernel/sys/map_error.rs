// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which errors of a map are no failure for a caller that only wants a certain state. It never hides any other error.

use std::io::ErrorKind;

use aya::maps::MapError;

/// For a removal: the entry is not there, and that was wanted.
pub(crate) fn absent_is_fine(result: Result<(), MapError>) -> Result<(), MapError> {
    match result {
        Err(MapError::KeyNotFound) => Ok(()),
        Err(MapError::SyscallError(error)) if error.io_error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Whether an insertion with `BPF_NOEXIST` failed because the entry exists.
pub(crate) fn is_existing(error: &MapError) -> bool {
    matches!(error, MapError::SyscallError(error) if error.io_error.kind() == ErrorKind::AlreadyExists)
}
