// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The name of every map of the kernel object, once. The programs define the maps, the loader pins and opens them, and
//! both take the names from here. This file holds no data.
//!
//! The kernel object compares its maps with these lists when it is compiled, so no list can lack a map, or name one
//! that does not exist.

/// The name of a map: of its symbol in the kernel object, and of its pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapName(&'static str);

impl MapName {
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl core::fmt::Display for MapName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.0)
    }
}

macro_rules! lists {
    ($($(#[$list_doc:meta])* $list:ident { $($(#[$doc:meta])* $name:ident;)+ })+) => {
        $(
            $($(#[$doc])* pub const $name: MapName = MapName(stringify!($name));)+

            $(#[$list_doc])*
            pub const $list: &[MapName] = &[$($name),+];
        )+
    };
}

lists! {
    /// The maps that every pod needs. All pods of the node share them, pinned in `maps/` of the version's directory.
    ALL {
        /// Hash: cookie of a network namespace → [`Enrollment`](crate::Enrollment). The entry enrolls the pod: the
        /// loader writes it last and removes it first.
        PODS;
        /// Array of one [`NodeState`](crate::NodeState), the loader's own notes. No program reads it.
        NODE;
        /// Hash, per CPU: cookie → [`Counters`](crate::Counters).
        COUNTERS;
        /// Trie: [`AddressKey`](crate::AddressKey) → [`AddressClass`](crate::AddressClass). A prefix carries the bits
        /// of all prefixes that cover it.
        ADDRESSES;
        /// Trie: [`NumberKey`](crate::NumberKey) → [`NumberClass`](crate::NumberClass) of a port, a user, a group or an
        /// interface.
        PORTS_AND_IDS;
        /// Trie: [`AddressKey`](crate::AddressKey) of a destination → source [`Address`](crate::Address) of connections
        /// to it, in pods where that is not always the same.
        SOURCE_ADDRS;
        /// Hash: [`AddressKey`](crate::AddressKey) of a secondary address → first [`Address`](crate::Address) of its
        /// interface. REDIRECT turns the local address of an inbound connection into that.
        PRIMARY_ADDRS;
        /// Hash of maps: cookie → the pod's table of slots, a trie: [`SlotKey`](crate::SlotKey) →
        /// [`SlotValue`](crate::SlotValue). Nobody can connect to a slot that a program did not give them, and no pod
        /// has anything in another's table.
        SLOTS;
        /// Hash: [`CellClaim`](crate::CellClaim) → nothing. An entry exists while one program gives the cell of a pod
        /// to a destination, so that no other does.
        SLOT_CLAIMS;
        /// Socket hash: [`ListenerKey`](crate::ListenerKey) → a listening socket of a sidecar. The kernel removes the
        /// entry when the socket is closed.
        LISTENERS;
        /// Array, per CPU: one [`Caller`](crate::Caller), the pod whose lookup stub calls `on_sk_lookup`.
        LOOKUP_CALLER;
        /// Program array of one: `on_sk_lookup`, the tail call target of the lookup stubs.
        LOOKUP_PROGS;
        /// Socket storage: [`Owner`](crate::Owner), for sockets whose maker satisfies an owner match.
        OWNERS;
        /// Socket storage: [`ProxyListener`](crate::ProxyListener) of the sidecar's listening sockets for connections
        /// from outside. What they accept inherits it.
        PROXY_SOCKETS;
        /// Socket storage: [`AskedServer`](crate::AskedServer), for UDP sockets that ask the agent.
        DNS_SERVERS;
        /// Array of one [`Traces`](crate::Traces): who follows which pods.
        TRACES;
        /// Array of maps: place of a trace → its ring buffer of [`TraceEvent`](crate::TraceEvent)s, while it runs.
        TRACE_RINGS;
        /// Array, per CPU: one [`LostEvents`](crate::LostEvents).
        TRACE_LOST;
    }

    /// The maps that only acceleration needs. They exist while a pod is accelerated, pinned in `acceleration/maps/` of
    /// the version's directory.
    ACCELERATION {
        /// Socket hash: [`FlowKey`](crate::acceleration::FlowKey) → an accelerated socket. The kernel removes the entry
        /// when the socket is closed. Nobody else may: that would destroy what waits to be read.
        ACCELERATED;
        /// Hash: [`FlowKey`](crate::acceleration::FlowKey) → [`Handshake`](crate::acceleration::Handshake), which an
        /// accelerated socket publishes for its peer.
        HANDSHAKES;
        /// Socket storage: [`SocketState`](crate::acceleration::SocketState) of accelerated sockets.
        SOCKET_STATE;
        /// Hash: [`Address`](crate::Address) → cookie of the one accelerated pod of this node that has it. The loader
        /// leaves out addresses that several pods have.
        LOCAL_PODS;
    }
}

/// A map of a former version of the ABI. Programs of this one look up there what they do not find in their own, while
/// they take over from it and while they give pods back. Pinned beside [`ALL`]. Most versions need none.
#[cfg(not(feature = "other-abi"))]
pub const FORMER: &[MapName] = &[];

#[cfg(feature = "other-abi")]
pub const FORMER: &[MapName] = &[FORMER_SLOTS];

/// [`SLOTS`] of the former version, whose tables have another layout.
#[cfg(feature = "other-abi")]
pub const FORMER_SLOTS: MapName = MapName("FORMER_SLOTS");

/// Whether the kernel object may have a map of this name: one of these lists, or a data section of the programs. Data
/// sections hold the constants that the loader sets. Their names start with a dot, and nobody pins them.
pub fn is_known(name: &str) -> bool {
    let mut listed = [ALL, FORMER, ACCELERATION].into_iter().flatten();
    name.starts_with('.') || listed.any(|known| known.0 == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_maps_and_data_sections_are_known() {
        for name in ["PODS", "SOCKET_STATE", ".rodata", ".rodata.str1.1"] {
            assert!(is_known(name), "{name}");
        }
        for name in ["", "pods", "PODS2"] {
            assert!(!is_known(name), "{name}");
        }
    }

    /// bpffs accepts no name with a dot. Tools cut longer names, and then two could look the same.
    #[test]
    fn names_are_fit_for_a_pin_and_for_tools() {
        for name in [ALL, ACCELERATION].into_iter().flatten() {
            assert!(!name.as_str().contains('.') && name.as_str().len() <= 15, "{name}");
        }
    }
}
