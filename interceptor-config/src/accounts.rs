// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Names of users, groups and services. iptables takes such a name wherever it takes a number. This crate never reads
//! the databases itself: the caller passes them in.

/// Looks names up. A database that cannot be read knows no names, as for iptables.
pub trait Accounts {
    /// The ID of a user.
    fn uid(&self, name: &str) -> Option<u32>;
    /// The ID of a group.
    fn gid(&self, name: &str) -> Option<u32>;
    /// The TCP port of a service.
    fn service(&self, name: &str) -> Option<u16>;
}

/// Knows no name, as in a container without `/etc/passwd`, `/etc/group` and `/etc/services`.
#[derive(Clone, Copy, Debug)]
pub struct NoAccounts;

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
