// SPDX-License-Identifier: Apache-2.0 OR MIT
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{
    abi::{NumberClass, NumberSpace, Policy, PolicyFlags},
    tables::Tables,
};

/// What the rules need to know of the credentials a socket was created with: which of Istio's owner matches they
/// satisfy.
///
/// Kept with the socket (`BPF_MAP_TYPE_SK_STORAGE`, Linux 5.2) from `socket()` on, because `-m owner` compares the
/// credentials of the socket's file, not of the task that happens to call `connect()`
/// ([`xt_owner.c`](https://github.com/torvalds/linux/blob/v6.12/net/netfilter/xt_owner.c)). A socket without the note,
/// an application's or one made before the pod was enrolled, counts as [`Owner::APPLICATION`], which is captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(transparent)]
pub struct Owner(u32);

impl Owner {
    /// Satisfies none of the matches.
    pub const APPLICATION: Self = Self(0);
    /// The first identity of the proxy's list; the order matters, see [`crate::decide`].
    const FIRST_PROXY_ID: u32 = 1;
    const PROXY_UID: u32 = 1 << 1;
    const PROXY_GID: u32 = 1 << 2;
    const GROUP_NOT_INTERCEPTED: u32 = 1 << 3;

    /// Evaluates the owner matches for the credentials that make a socket (in the user namespace that owns the pod).
    #[inline(always)]
    pub fn classify(uid: u32, gid: u32, policy: &Policy, tables: &impl Tables) -> Self {
        let user = tables.number(NumberSpace::Uid, uid);
        let group = tables.number(NumberSpace::Gid, gid);
        let mut bits = 0;
        if user.has(NumberClass::FIRST_PROXY_ID) {
            bits |= Self::FIRST_PROXY_ID;
        }
        if user.has(NumberClass::PROXY_ID) {
            bits |= Self::PROXY_UID;
        }
        if group.has(NumberClass::PROXY_ID) {
            bits |= Self::PROXY_GID;
        }
        // One list serves both variables: with a list of included groups the others are left alone, without one the
        // excluded.
        if group.has(NumberClass::OWNER_GROUP) != policy.has(PolicyFlags::ONLY_LISTED_GROUPS) {
            bits |= Self::GROUP_NOT_INTERCEPTED;
        }
        Self(bits)
    }

    /// Whether the proxy made the socket, by user or by group.
    #[inline(always)]
    pub const fn is_proxy(self) -> bool {
        self.0 & (Self::PROXY_UID | Self::PROXY_GID) != 0
    }

    #[inline(always)]
    pub(crate) const fn is_first_proxy_id(self) -> bool {
        self.0 & Self::FIRST_PROXY_ID != 0
    }

    #[inline(always)]
    pub(crate) const fn is_proxy_uid(self) -> bool {
        self.0 & Self::PROXY_UID != 0
    }

    #[inline(always)]
    pub(crate) const fn group_is_not_intercepted(self) -> bool {
        self.0 & Self::GROUP_NOT_INTERCEPTED != 0
    }
}
