// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the kernel tells of an open descriptor.

use std::{fs, os::fd::AsRawFd};

use anyhow::{Context as _, Result};

/// The value of `key` in `/proc/self/fdinfo`. `None` if the kernel tells no such thing of this kind of descriptor.
pub(crate) fn fdinfo(descriptor: &impl AsRawFd, key: &str) -> Result<Option<String>> {
    let path = format!("/proc/self/fdinfo/{}", descriptor.as_raw_fd());
    let text = fs::read_to_string(&path).with_context(|| format!("Failed to read {path}"))?;
    let found = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| *name == key);
    Ok(found.map(|(_, value)| value.trim().to_owned()))
}
