// SPDX-License-Identifier: Apache-2.0 OR MIT
//! No names of users, groups and services: a pod's specification has numbers only, and which names its containers know
//! cannot be found out before they run.

use crate::accounts::Accounts;

/// A pod's specification has numbers only.
pub(super) struct NoAccounts;

impl Accounts for NoAccounts {
    fn uid(&self, _name: &str) -> Option<u32> {
        None
    }

    fn gid(&self, _name: &str) -> Option<u32> {
        None
    }

    fn service(&self, _name: &str) -> Option<u16> {
        None
    }
}
