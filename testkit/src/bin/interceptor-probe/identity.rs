// SPDX-License-Identifier: Apache-2.0 OR MIT
//! To be another user for a moment.

use anyhow::Context as _;
use nix::unistd::{Gid, Uid, setresgid, setresuid};

/// Does `action` with other real and effective ids, the same for user and group, and returns to be root.
pub(crate) fn as_user<T>(real: u32, effective: u32, action: impl FnOnce() -> T) -> anyhow::Result<T> {
    let become_ids = |real, effective| {
        // The saved ids are the way back.
        setresgid(Gid::from_raw(real), Gid::from_raw(effective), Gid::from_raw(0))?;
        setresuid(Uid::from_raw(real), Uid::from_raw(effective), Uid::from_raw(0))
    };
    become_ids(real, effective).with_context(|| format!("act as user and group {effective}"))?;
    let result = action();
    // The user first: only root may choose its groups.
    let root = Uid::from_raw(0);
    setresuid(root, root, root)
        .and_then(|()| become_ids(0, 0))
        .context("act as root again")?;
    Ok(result)
}
