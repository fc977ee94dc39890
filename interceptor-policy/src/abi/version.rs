// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The version of everything that two builds of loader and programs would have to agree on.

/// Raise it when a type in `abi` or `acceleration`, the list of reasons, or the meaning of a map changes. It is part of
/// the path of all pins, so two versions share a map only if one knows the other.
///
/// Add a row to `kernel/node/versions.rs` of the loader if pods of the version before can be taken over.
pub const ABI_VERSION: u32 = 15 + cfg!(feature = "other-abi") as u32;

#[cfg(all(test, not(feature = "other-abi")))]
mod tests {
    use core::mem::offset_of;

    use super::ABI_VERSION;
    use crate::{
        abi::{
            class::{AddressClass, NumberClass},
            counters::Counters,
            enrollment::{Enrollment, MAX_PODS, NodeState},
            keys::{AddressKey, NumberKey, NumberSpace},
            listeners::{LISTENERS_PER_KIND, ListenerFamily, ListenerKey, ListenerScope, ProxyListener},
            lookup::Caller,
            policy::{Policy, PolicyFlags},
            slots::{AskedServer, Cell, CellClaim, Destination, FreeCells, SlotKey, SlotValue, Use},
            trace::{Direction, LostEvents, MAX_TRACES, TraceEvent, TracePlace, Traces},
        },
        acceleration::{FlowKey, Handshake, Path, SeqNumbers, SocketState},
        address::Address,
        maps,
        owner::Owner,
        reason::Reason,
        slot::Slot,
    };

    #[test]
    fn the_version_changes_with_the_layout() {
        let hash = layout();
        assert!(
            (ABI_VERSION, hash) == (15, 0x6ca6_871d_eac4_1f6c),
            "the layout changed: raise ABI_VERSION and write {hash:#018x} here"
        );
    }

    /// [FNV-1a](https://datatracker.ietf.org/doc/html/draft-eastlake-fnv), which gives the same hash everywhere.
    struct Fnv(u64);

    impl Fnv {
        fn bytes(&mut self, bytes: &[u8]) {
            for byte in bytes {
                self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }

        fn number(&mut self, number: u64) {
            self.bytes(&number.to_le_bytes());
        }

        fn text(&mut self, text: &str) {
            self.number(text.len() as u64);
            self.bytes(text.as_bytes());
        }
    }

    /// Adds size, alignment and the offset of every field. A struct with a field that is not named does not compile.
    macro_rules! structs {
        ($hash:ident, $($type:ident { $($field:ident),+ })+) => {$(
            let _all_fields = |value: $type| { let $type { $($field: _),+ } = value; };
            sizes!($hash, $type);
            $($hash.number(offset_of!($type, $field) as u64);)+
        )+};
    }

    /// Adds size and alignment.
    macro_rules! sizes {
        ($hash:ident, $($type:ty),+) => {
            $(for number in [size_of::<$type>(), align_of::<$type>()] { $hash.number(number as u64); })+
        };
    }

    fn layout() -> u64 {
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        structs!(hash,
            Policy {
                generation, flags, outbound_port, inbound_port, tunnel_port, dns_port, tproxy_mark, tproxy_table,
                pod_v4, pod_v6, accelerate_budget, padding
            }
            Enrollment { policy, fingerprint, netns_inode, cgroup_id, addresses, numbers }
            NodeState { last_generation, unfinished }
            Destination { address, port, padding }
            Cell { destination, generation }
            Use { slot, last, padding }
            FreeCells { next, padding }
            CellClaim { netns_cookie, cell }
            AskedServer { server, source_is_pod }
            ListenerKey { netns_cookie, port, scope, family, index }
            ProxyListener { port }
            Caller { netns_cookie, context }
            Traces { latest, places }
            TracePlace { until, owner, netns_cookie, reasons, port, padding }
            TraceEvent {
                time, netns_cookie, source, destination, source_port, port, reason, kind, uid, gid, pid, padding,
                command
            }
            FlowKey { netns_cookie, local, remote, local_port, remote_port, padding }
            SeqNumbers { snd_nxt, rcv_nxt }
            Handshake { sequence, socket, budget, padding }
            SocketState {
                key, peer_netns_cookie, sequence, path, urgent, budget, credit, peer_socket, memory_low
            }
        );
        sizes!(
            hash,
            Address,
            AddressKey,
            NumberKey,
            ListenerScope,
            ListenerFamily,
            Path,
            Owner,
            Counters,
            LostEvents,
            SlotKey,
            SlotValue
        );
        for (flag, bits) in [PolicyFlags::FLAGS, AddressClass::FLAGS, NumberClass::FLAGS]
            .into_iter()
            .flatten()
        {
            hash.text(flag);
            hash.number(u64::from(*bits));
        }
        for space in [NumberSpace::Port, NumberSpace::Uid, NumberSpace::Gid, NumberSpace::Interface] {
            hash.number(space as u64);
        }
        for direction in Direction::ALL {
            hash.text(direction.label());
        }
        hash.number(MAX_PODS as u64);
        hash.number(MAX_TRACES as u64);
        hash.number(u64::from(LISTENERS_PER_KIND));
        hash.number(u64::from(SlotKey::MAX_ENTRIES));
        hash.number(u64::from(Slot::FIRST));
        hash.number(u64::from(Slot::GENERATIONS));
        for name in [maps::ALL, maps::ACCELERATION].into_iter().flatten() {
            hash.text(name.as_str());
        }
        for reason in Reason::ALL {
            hash.text(reason.label());
        }
        hash.0
    }
}
