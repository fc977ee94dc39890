// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who made a socket, as far as a rule asks for it. The user and group themselves are not kept.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{
    abi::{NumberClass, NumberSpace, Policy, PolicyFlags},
    tables::Tables,
};

/// Which of Istio's owner matches the maker of a socket satisfies.
///
/// It is kept with the socket from `socket()` on (`BPF_MAP_TYPE_SK_STORAGE`, Linux 5.2). `-m owner` compares the
/// credentials of the socket's file, not of the task that calls `connect()`
/// ([`xt_owner.c`](https://github.com/torvalds/linux/blob/v6.12/net/netfilter/xt_owner.c)). A socket without an entry
/// was made by an application, or before the pod was enrolled. It counts as [`Owner::APPLICATION`], so it is
/// intercepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(transparent)]
pub struct Owner(u32);

impl Owner {
    /// The maker satisfies no match.
    pub const APPLICATION: Self = Self(0);
    /// The user is the first of the proxy's list. The order matters: see `by_rules` in `decide.rs`.
    const FIRST_PROXY_ID: u32 = 1;
    const PROXY_UID: u32 = 1 << 1;
    const PROXY_GID: u32 = 1 << 2;
    const GROUP_NOT_INTERCEPTED: u32 = 1 << 3;

    /// Evaluates the owner matches for the user and group that make a socket. They are numbers of the same user
    /// namespace as those in the tables.
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
        // One list serves both variables. It has either the included groups, and all others are not intercepted, or
        // the excluded groups.
        if group.has(NumberClass::OWNER_GROUP) != policy.has(PolicyFlags::ONLY_LISTED_GROUPS) {
            bits |= Self::GROUP_NOT_INTERCEPTED;
        }
        Self(bits)
    }

    /// Whether the proxy made the socket: by its user or by its group.
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

    #[cfg(feature = "mutants")]
    #[inline(always)]
    pub(crate) const fn without_group(self) -> Self {
        Self(self.0 & !Self::GROUP_NOT_INTERCEPTED)
    }

    #[cfg(feature = "mutants")]
    #[inline(always)]
    pub(crate) const fn without_proxy_gid(self) -> Self {
        Self(self.0 & !Self::PROXY_GID)
    }

    #[inline(always)]
    pub(crate) const fn group_is_not_intercepted(self) -> bool {
        self.0 & Self::GROUP_NOT_INTERCEPTED != 0
    }
}
