// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An enrolled pod: its policy, its entries in the maps, and its counters. Programs change only the counters.

use core::ffi::c_void;

use aya_ebpf::{btf_maps::lpm_trie::Key, helpers::generated::bpf_get_netns_cookie};
use interceptor_policy::{
    Address, AddressClass, AddressKey, Enrollment, NumberClass, NumberKey, NumberSpace, Owner, Policy, Reason, Tables,
};

use crate::{
    maps::{ADDRESSES, COUNTERS, OWNERS, PODS, PORTS_AND_IDS},
    socket::Socket,
};

/// An enrolled pod.
#[derive(Clone, Copy)]
pub(crate) struct Pod<'a> {
    pub(crate) netns_cookie: u64,
    pub(crate) policy: &'a Policy,
}

impl Pod<'_> {
    /// The pod in whose network namespace the program runs.
    ///
    /// `None` means that nothing is intercepted there. Either the namespace is not enrolled: it is another one on the
    /// same cgroup, or its enrollment was not completed. Or it is the host's own namespace, which is never enrolled.
    #[inline(always)]
    pub(crate) fn of(ctx: *mut c_void) -> Option<Self> {
        // SAFETY: the helper accepts the context of every program that calls this.
        let netns_cookie = unsafe { bpf_get_netns_cookie(ctx) };
        // SAFETY: for null, the helper returns the cookie of the host's initial network namespace.
        let host_cookie = unsafe { bpf_get_netns_cookie(core::ptr::null_mut()) };
        if netns_cookie == host_cookie {
            return None;
        }
        Self::enrolled(netns_cookie)
    }

    /// The pod with this cookie, if it is enrolled.
    #[inline(always)]
    pub(crate) fn enrolled(netns_cookie: u64) -> Option<Self> {
        Some(Self { netns_cookie, policy: &Self::enrollment(netns_cookie)?.policy })
    }

    /// What the loader wrote about the pod with this cookie, if it is enrolled.
    #[inline(always)]
    pub(crate) fn enrollment<'a>(netns_cookie: u64) -> Option<&'a Enrollment> {
        let enrollment = PODS.get_ptr(netns_cookie)?;
        // SAFETY: the loader waits for a grace period before it writes to the map again, so the entry outlives this
        // program run.
        Some(unsafe { &*enrollment })
    }

    /// Counts one event. What happened to a connection or to a packet is shown to those who trace the pod as well, by
    /// [`Seen::count`](crate::trace::Seen::count).
    #[inline(always)]
    pub(crate) fn count(self, reason: Reason) {
        // A pod without counters is being removed. Nobody will read them.
        if let Some(counters) = COUNTERS.get_ptr_mut(self.netns_cookie) {
            // SAFETY: the value belongs to this CPU, and lives as long as any program that can see it.
            let counters = unsafe { &mut (*counters).0 };
            const { assert!(Reason::COUNT <= 256, "the number of a reason fits into a byte") };
            // There is a counter for each reason, so this never fails. The verifier needs the check.
            if let Some(counter) = counters.get_mut(hide_range_from_verifier(reason as u8)) {
                // Another program may preempt a cgroup program on the same CPU. That can lose one count, never more.
                *counter += 1;
            }
        }
    }

    /// Which owner matches the socket satisfies.
    #[inline(always)]
    pub(crate) fn owner(socket: Socket) -> Owner {
        let owner = OWNERS.get(socket).or_else(|| OWNERS.get_of(socket.whole()?));
        // A socket without an owner was made by an application, or before the pod was enrolled. Both are intercepted.
        owner.unwrap_or(Owner::APPLICATION)
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

/// Hides the value's range from the verifier. On dead branches Linux 6.1 derives contradictory bounds (at least 11 and
/// at most 3), and then rejects the index despite the check.
#[inline(always)]
fn hide_range_from_verifier(number: u8) -> usize {
    #[repr(align(8))]
    struct Stack([u8; 8]);
    // The verifier tracks a value at the beginning of a stack word, but not a value beside that. `black_box` keeps the
    // compiler from simplifying this.
    let mut stack = Stack([0; 8]);
    stack.0[1] = number;
    usize::from(core::hint::black_box(&mut stack).0[1])
}
