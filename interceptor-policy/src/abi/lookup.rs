// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a pod's lookup stub tells the shared `on_sk_lookup` before its tail call.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Which pod a lookup is for. `sk_lookup` programs cannot ask for the cookie of their network namespace, so each pod's
/// stub carries its own.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Caller {
    /// The pod: the cookie of its network namespace.
    pub netns_cookie: u64,
    /// The address of the context that stub and program share. No other lookup has that address at the same time.
    pub context: u64,
}
