// SPDX-License-Identifier: Apache-2.0 OR MIT
use core::ffi::c_void;

use aya_ebpf::{btf_maps::lpm_trie::Key, helpers::generated::bpf_get_netns_cookie};
use interceptor_policy::{
    Address, AddressClass, AddressKey, Destination, NumberClass, NumberKey, NumberSpace, Owner, Policy, PolicyFlags,
    Reason, Slot, SlotAddress, SlotEntry, Tables,
};

use crate::{
    maps::{ADDRESSES, COUNTERS, OWNERS, PODS, PORTS_AND_IDS, PRIMARY_ADDRS, SLOTS, SOURCE_ADDRS},
    socket::Socket,
};

/// An enrolled pod: its policy, and its entries in the tables.
#[derive(Clone, Copy)]
pub(crate) struct Pod<'a> {
    pub(crate) netns_cookie: u64,
    pub(crate) policy: &'a Policy,
}

impl Pod<'_> {
    /// The pod in whose network namespace the program runs. None means that interception is not in force there: the
    /// namespace is not enrolled (another one on the same cgroup, or an enrollment that was not completed), or it is
    /// the host's own, which never is.
    #[inline(always)]
    pub(crate) fn of(ctx: *mut c_void) -> Option<Self> {
        // SAFETY: the helper accepts the context of every program that calls this.
        let netns_cookie = unsafe { bpf_get_netns_cookie(ctx) };
        // SAFETY: with null the helper answers for the host's initial network namespace.
        let host_cookie = unsafe { bpf_get_netns_cookie(core::ptr::null_mut()) };
        if netns_cookie == host_cookie {
            return None;
        }
        Self::enrolled(netns_cookie)
    }

    /// The pod with this cookie, if it is enrolled.
    #[inline(always)]
    pub(crate) fn enrolled(netns_cookie: u64) -> Option<Self> {
        let enrollment = PODS.get_ptr(netns_cookie)?;
        // SAFETY: the loader waits for a grace period before it writes to the map again, so the entry outlives this
        // program run.
        let enrollment = unsafe { &*enrollment };
        Some(Self { netns_cookie, policy: &enrollment.policy })
    }

    /// Counts one event.
    #[inline(always)]
    pub(crate) fn count(self, reason: Reason) {
        crate::trace::reason(self.netns_cookie, reason);
        // No counters means that the pod is being removed; nobody will read them.
        if let Some(counters) = COUNTERS.get_ptr_mut(self.netns_cookie) {
            // SAFETY: the value belongs to this CPU, and lives as long as any program that can see it.
            let counters = unsafe { &mut (*counters).0 };
            const { assert!(Reason::COUNT <= 256, "their numbers fit into a byte") };
            // (There is a counter for each reason.)
            if let Some(counter) = counters.get_mut(hide_range_from_verifier(reason as u8)) {
                // A cgroup program may be preempted by another on the same CPU, which can lose one count, never more.
                *counter += 1;
            }
        }
    }

    /// Which owner matches the socket satisfies.
    #[inline(always)]
    pub(crate) fn owner(socket: Socket) -> Owner {
        let owner = OWNERS.get(socket).or_else(|| OWNERS.get_of(socket.whole()?));
        // Without a note: an application's socket, or one made before the pod was enrolled. Both are captured.
        owner.unwrap_or(Owner::APPLICATION)
    }

    /// The slot in an address that leads to one of the sidecar's ports.
    #[inline(always)]
    pub(crate) fn slot_in(self, address: Address, port: u16) -> Option<SlotAddress> {
        if self.policy.is_proxy_port(port) {
            SlotAddress::decode(address)
        } else {
            None
        }
    }

    /// The pod's destination that a slot stands for.
    #[inline(always)]
    pub(crate) fn destination(self, slot: Slot) -> Option<Destination> {
        if let Some(entry) = SLOTS.get_ptr(slot.key()) {
            // SAFETY: a recycled entry would be overwritten in place; entries looked up are the last to be recycled.
            let SlotEntry { netns_cookie, destination, padding: _ } = unsafe { *entry };
            if netns_cookie == self.netns_cookie {
                return Some(destination);
            }
        }
        // Recycled, perhaps for another pod.
        self.count(Reason::SlotForgotten);
        None
    }

    /// The source that the kernel would give to a connection to `destination`, which is not an address of the pod.
    #[inline(always)]
    pub(crate) fn source_by_route(self, destination: Address) -> Address {
        let usual = self.policy.pod_address(destination);
        if !self.policy.has(PolicyFlags::SOURCE_ADDRS) {
            return usual;
        }
        let key = Key::new(AddressKey::BITS, AddressKey::new(self.policy.generation, destination));
        SOURCE_ADDRS.get(&key).copied().unwrap_or(usual)
    }

    /// The first address of the interface that has `address`.
    #[inline(always)]
    pub(crate) fn primary_of(self, address: Address) -> Address {
        PRIMARY_ADDRS
            .get_ptr(AddressKey::new(self.policy.generation, address))
            .map_or(address, |primary| {
                // SAFETY: entries of a generation live as long as any program that can see its policy.
                unsafe { *primary }
            })
    }
}

impl Tables for Pod<'_> {
    #[inline(always)]
    fn address(&self, address: Address) -> AddressClass {
        let key = Key::new(AddressKey::BITS, AddressKey::new(self.policy.generation, address));
        ADDRESSES.get(&key).copied().unwrap_or_default()
    }

    #[inline(always)]
    fn number(&self, space: NumberSpace, number: u32) -> NumberClass {
        let key = Key::new(NumberKey::BITS, NumberKey::new(self.policy.generation, space, number));
        PORTS_AND_IDS.get(&key).copied().unwrap_or_default()
    }
}

/// The same number, of which the verifier knows nothing any more. On branches that are never taken, but that Linux 6.1
/// follows, it concludes that a number is at least eleven and at most three, and then refuses it as an index even after
/// a comparison.
#[inline(always)]
fn hide_range_from_verifier(number: u8) -> usize {
    #[repr(align(8))]
    struct Stack([u8; 8]);
    // What is stored at the beginning of a word of the stack is followed, beside it is not. The compiler is not to tidy
    // that up.
    let mut stack = Stack([0; 8]);
    stack.0[1] = number;
    usize::from(core::hint::black_box(&mut stack).0[1])
}
