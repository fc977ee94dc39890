// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The web application's address, and whose process is whose. It starts nothing.

use std::{fs, os::unix::fs::MetadataExt as _};

/// The web application.
pub(crate) const APPLICATION: &str = "10.99.0.2:8080";

/// Whose process it is, if it is there.
pub(crate) fn user_of(pid: u32) -> Option<u32> {
    Some(fs::metadata(format!("/proc/{pid}")).ok()?.uid())
}
