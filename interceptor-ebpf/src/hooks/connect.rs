// SPDX-License-Identifier: Apache-2.0 OR MIT
use aya_ebpf::{bindings::BPF_NOEXIST, helpers::generated::bpf_set_retval};
use interceptor_policy::{
    Action, Address, AddressClass, DNS_SERVICE_PORT, Destination, Outbound, Owner, PolicyFlags, Protocol, Reason, Slot,
    SlotAddress, SlotCandidates, SlotEntry, Tables as _,
};

use super::{dns, sockname::source_toward};
use crate::{
    maps::SLOTS,
    pod::Pod,
    rules,
    search::{Search, find_first},
    socket::Socket,
    user_address::{Family, UserAddress},
};

/// `connect()` goes on, to the address that stands in the context.
pub(crate) const ALLOW: i32 = 1;
/// `connect()` fails.
const DENY: i32 = 0;

const ECONNREFUSED: i32 = 111;

/// Chosen at random by the loader; see [`SlotCandidates::of`].
#[unsafe(no_mangle)]
static SLOT_SEED: u32 = 0;

/// Decides where a connection goes, and sends it there.
#[inline(always)]
pub(crate) fn connect<F: Family>(user: &UserAddress<'_, F>) -> i32 {
    let Some(pod) = Pod::of(user.as_ptr()) else {
        return ALLOW; // not enrolled
    };
    let (source, owner, mark, interface) =
        user.socket()
            .map_or((Address::UNSPECIFIED_V4, Owner::APPLICATION, 0, 0), |socket| {
                (
                    chosen_source(user, pod, socket),
                    Pod::owner(socket),
                    socket.mark(),
                    socket.bound_interface(),
                )
            });
    let dialed = Destination::new(user.address(), user.port());
    let flow = Outbound {
        protocol: Protocol::from_number(user.protocol()),
        source,
        destination: dialed.address.as_reached_from(source),
        port: dialed.port,
        owner,
        mark,
        interface,
    };
    if !bind_tproxy_to_lo(user, pod, &flow) {
        return refuse(); // it would come back to the sidecar again and again
    }
    let Some(verdict) = rules::outbound(pod, &flow) else {
        return refuse(); // the rules always say something
    };
    match verdict.action {
        Action::Pass => {
            if pod.slot_in(dialed.address, dialed.port).is_some() {
                // Dialed by hand, the sidecar's port is reached without a destination, whichever loopback address was
                // used. A slot is only ever entered through a verdict.
                user.set_address(dialed.address.loopback());
            }
            ALLOW
        }
        Action::RedirectOutbound => redirect(user, pod, flow, verdict.reason, pod.policy.outbound_port),
        Action::RedirectInbound => redirect(user, pod, flow, verdict.reason, pod.policy.inbound_port),
        Action::RedirectDns if flow.protocol == Protocol::Udp => dns::connect(user, pod, &flow),
        Action::RedirectDns => redirect(user, pod, flow, verdict.reason, pod.policy.dns_port),
        Action::Refuse => refuse(),
    }
}

/// What the application has bound its socket to. One that was connected before may still be bound to what was chosen
/// for it then: that is taken back. (Should the application have chosen the same, that is taken back as well.)
#[inline(always)]
fn chosen_source<F: Family>(user: &UserAddress<'_, F>, pod: Pod<'_>, socket: Socket) -> Address {
    let source = socket.local_address();
    if source.is_unspecified() {
        return source;
    }
    // The end of a TCP connection leaves its peer's address behind. That of UDP does not, but who asked the agent has a
    // note.
    let before = SlotAddress::decode(socket.peer_address());
    if socket.local_port() != 0 {
        // Nothing can be taken back of a socket with a port: one that had no address came from loopback, and goes on
        // to.
        let source_is_pod =
            before.map_or_else(|| dns::source_is_pod(socket), |slot_address| slot_address.source_is_pod);
        return if source_is_pod && source.is_loopback() { F::UNBOUND } else { source };
    }
    let before = match before {
        Some(slot_address) => pod.destination(slot_address.slot),
        None => dns::first_asked(socket),
    };
    match before {
        Some(before) if source_toward(pod, before.address).same(source) && user.unbind() => F::UNBOUND,
        _ => source,
    }
}

#[inline(always)]
fn redirect<F: Family>(
    user: &UserAddress<'_, F>,
    pod: Pod<'_>,
    flow: Outbound,
    reason: Reason,
    proxy_port: u16,
) -> i32 {
    let destination = Destination::new(flow.destination, flow.port);
    let Some(slot) = take_slot(pod, destination) else {
        pod.count(Reason::NoSlot);
        return refuse();
    };
    let source = source_under_iptables(pod, &flow, reason);
    // The source cannot be set on a socket with a port of its own: then both ends are told.
    let source_is_pod = !source.is_unspecified() && !user.bind(source);
    let transparent = matches!(reason, Reason::ProxyToOwnPodTransparently);
    user.set_address(SlotAddress { slot, source_is_pod, transparent }.encode(destination.address));
    user.set_port(proxy_port);
    ALLOW
}

/// The source address to give to a connection that goes over loopback only because we send it there; unspecified where
/// the application has chosen one, or where loopback is right.
#[inline(always)]
pub(crate) fn source_under_iptables(pod: Pod<'_>, flow: &Outbound, reason: Reason) -> Address {
    if !flow.source.is_unspecified() {
        return Address::UNSPECIFIED_V4;
    }
    if flow.destination.is_loopback() {
        // The kernel takes 127.0.0.1 for all of 127.0.0.0/8, but for the IPv6 slots any local address.
        return if flow.destination.is_v4() {
            Address::UNSPECIFIED_V4
        } else {
            Address::LOOPBACK_V6
        };
    }
    // Other connections that are redirected go elsewhere.
    let may_be_to_own_address = pod.policy.has(PolicyFlags::LOOPBACK_INCLUDED)
        || (pod.policy.has(PolicyFlags::DNS) && flow.port == DNS_SERVICE_PORT);
    let to_own_address = matches!(reason, Reason::ProxyToOwnPod | Reason::ProxyToOwnPodTransparently)
        || (may_be_to_own_address && pod.address(flow.destination).has(AddressClass::LOCAL));
    match (to_own_address, flow.destination.is_v4()) {
        (true, true) => pod.primary_of(flow.destination),
        (true, false) => flow.destination,
        (false, _) => pod.source_by_route(flow.destination),
    }
}

/// A marked connection from an address that is not the pod's, as a sidecar under TPROXY makes it in the name of its
/// client, has to look to `sk_lookup` as what it is: one from inside. To an address of the pod the kernel would let it
/// arrive at that address's interface, as the client's own connections do. Bound to `lo`, it takes the route that its
/// mark leads to, and arrives there. False when that fails.
#[inline(always)]
fn bind_tproxy_to_lo<F: Family>(user: &UserAddress<'_, F>, pod: Pod<'_>, flow: &Outbound) -> bool {
    let by_the_sidecar =
        pod.policy.is_marked(flow.mark) && flow.protocol == Protocol::Tcp && !flow.source.is_unspecified();
    if !by_the_sidecar || !pod.policy.intercepts_family_of(flow.destination) {
        return true;
    }
    pod.address(flow.source).has(AddressClass::LOCAL) || user.bind_to_loopback_device()
}

/// The slot that holds `destination` for the pod, or a free one that will.
#[inline(always)]
pub(crate) fn take_slot(pod: Pod<'_>, destination: Destination) -> Option<Slot> {
    // SAFETY: a read of a constant that the loader sets; volatile, because the compiler only knows its initial value.
    let seed = unsafe { core::ptr::read_volatile(&raw const SLOT_SEED) };
    let entry = SlotEntry::new(pod.netns_cookie, destination);
    let candidates = SlotCandidates::of(&entry, seed);
    find_first(SlotCandidates::COUNT, SlotSearch { candidates, entry }).map(|probe| candidates.nth(probe))
}

/// The slots in which `entry` stands or may stand.
struct SlotSearch {
    candidates: SlotCandidates,
    entry: SlotEntry,
}

impl Search for SlotSearch {
    #[inline(always)]
    fn accepts(&self, probe: u32) -> bool {
        let slot = self.candidates.nth(probe);
        let Some(held) = SLOTS.get_ptr(slot.key()) else {
            // On an error somebody else was faster; should it have been for the same destination, it will stand in two
            // slots.
            return SLOTS.insert(slot.key(), self.entry, u64::from(BPF_NOEXIST)).is_ok();
        };
        // SAFETY: the entry was looked up a moment ago; the least recently used are recycled, not this one.
        unsafe { &*held }.same(&self.entry)
    }
}

/// Refuses as a port would that nobody listens on.
#[inline(always)]
pub(crate) fn refuse() -> i32 {
    // SAFETY: sets the result of the system call, nothing else. Were it to fail, `DENY` alone is EPERM.
    unsafe { bpf_set_retval(-ECONNREFUSED) };
    DENY
}
