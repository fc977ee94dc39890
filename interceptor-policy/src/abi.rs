// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The flat types that cross the kernel boundary. No padding, no `bool`, no enum with data: `zerocopy` refuses to
//! compile those.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, Reason};

/// Changes whenever a type in this file or the meaning of a map changes; part of the pin path, so that two versions
/// never share a map.
pub const ABI_VERSION: u32 = 9;

/// How many listening sockets of one port and scope are remembered; any live one serves its whole `SO_REUSEPORT` group.
pub const LISTENERS_PER_PORT: u32 = 128;

macro_rules! bits {
    ($(#[$meta:meta])* $name:ident { $($(#[$flag_meta:meta])* $flag:ident = $bit:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
        #[repr(transparent)]
        pub struct $name(u32);

        impl $name {
            $($(#[$flag_meta])* pub const $flag: Self = Self(1 << $bit);)+

            /// From the number in a map.
            #[inline(always)]
            pub const fn from_bits(bits: u32) -> Self {
                Self(bits)
            }

            /// The number in a map.
            pub const fn bits(self) -> u32 {
                self.0
            }

            /// Whether all bits of `flag` are set.
            #[inline(always)]
            pub const fn has(self, flag: Self) -> bool {
                self.0 & flag.0 == flag.0
            }

            /// The bits of both.
            #[must_use]
            pub const fn with(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }
    };
}

bits! {
    /// Switches of a [`Policy`].
    PolicyFlags {
        /// Istio would have written rules for IPv6.
        IPV6 = 0,
        /// `-i '*'`.
        OUTBOUND_ALL = 1,
        /// Some outbound port is listed (`-o`, `-q`); without it no port is looked up.
        OUTBOUND_PORTS = 2,
        /// An included range (`-i`) is a loopback range: local destinations are then judged like any other.
        LOOPBACK_INCLUDED = 3,
        /// `-b` is not empty.
        INBOUND = 4,
        /// `-b '*'`.
        INBOUND_ALL = 5,
        /// Only the listed owner groups are intercepted, instead of all but them.
        ONLY_LISTED_GROUPS = 6,
        /// `--redirect-dns`, with a server to capture.
        DNS = 7,
        /// `--capture-all-dns`.
        DNS_ALL = 8,
        /// `-m TPROXY`.
        TPROXY = 9,
        /// `--accelerate`.
        ACCELERATE = 10,
        /// Some interface of the pod is left alone (`-c`).
        INTERFACES = 11,
        /// Some destinations have another source than the pod's usual one.
        SOURCE_ADDRS = 12,
    }
}

bits! {
    /// What the tables say of an address.
    AddressClass {
        /// An address of this pod, on any interface: what `-o lo` means.
        LOCAL = 0,
        /// `ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR`, or `::1`.
        LOOPBACK_EXEMPT = 1,
        /// `-x`.
        OUTBOUND_EXCLUDED = 2,
        /// `-i`.
        OUTBOUND_INCLUDED = 3,
        /// A DNS server whose questions are captured.
        DNS_SERVER = 4,
        /// It is reached through an interface of `-c`.
        INTERFACE_EXCLUDED = 5,
    }
}

bits! {
    /// What the tables say of a port, a user, a group or an interface.
    NumberClass {
        /// `-o`.
        OUTBOUND_EXCLUDED = 0,
        /// `-q`.
        OUTBOUND_INCLUDED = 1,
        /// `-d`.
        INBOUND_EXCLUDED = 2,
        /// `-b`.
        INBOUND_INCLUDED = 3,
        /// `-u` or `-g`.
        PROXY_ID = 4,
        /// The first of `-u`.
        FIRST_PROXY_ID = 5,
        /// `ISTIO_OUTBOUND_OWNER_GROUPS` or `..._EXCLUDE`.
        OWNER_GROUP = 6,
        /// `-c`, by its index.
        INTERFACE_EXCLUDED = 7,
    }
}

/// Everything about a pod that is not a list. Its lists stand in the tables under `generation`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Policy {
    /// Names this pod's entries in the tables; never used twice, so a new policy is complete before it is switched to.
    /// Below
    /// [`Policy::MAX_GENERATION`].
    pub generation: u32,
    pub flags: PolicyFlags,
    /// 15001; host byte order, as all ports here.
    pub outbound_port: u16,
    /// 15006.
    pub inbound_port: u16,
    /// 15008.
    pub tunnel_port: u16,
    /// 15053.
    pub dns_port: u16,
    /// `-t`, with which the sidecar marks the connections that it makes with their client's address; zero without
    /// TPROXY.
    pub tproxy_mark: u32,
    /// `-r`, where such packets are routed; zero without TPROXY.
    pub tproxy_table: u32,
    /// The source of connections to the outside; unspecified when the pod has none.
    pub pod_v4: Address,
    pub pod_v6: Address,
    /// `--accelerate-budget`: how many bytes of one direction of an accelerated connection may wait for the reader.
    pub accelerate_budget: u32,
    pub padding: u32,
}

impl Policy {
    /// One bit of a table's name is the family.
    pub const MAX_GENERATION: u32 = u32::MAX >> 1;

    /// Whether a switch is on.
    #[inline(always)]
    pub const fn has(&self, flag: PolicyFlags) -> bool {
        self.flags.has(flag)
    }

    /// Whether a packet with this mark is one that TPROXY knows: it comes from inside the pod, whatever its source.
    #[inline(always)]
    pub const fn is_marked(&self, mark: u32) -> bool {
        self.has(PolicyFlags::TPROXY) && mark == self.tproxy_mark
    }

    /// IPv4 always has rules; IPv6 when the pod's addresses call for them.
    #[inline(always)]
    pub const fn intercepts_family_of(&self, address: Address) -> bool {
        address.is_v4() || self.has(PolicyFlags::IPV6)
    }

    /// The pod's source address toward the outside, of the family of `like`.
    #[inline(always)]
    pub const fn pod_address(&self, like: Address) -> Address {
        if like.is_v4() { self.pod_v4 } else { self.pod_v6 }
    }

    /// Whether `port` is one that connections are redirected to.
    #[inline(always)]
    pub const fn is_proxy_port(&self, port: u16) -> bool {
        port == self.outbound_port || port == self.inbound_port || (port == self.dns_port && self.has(PolicyFlags::DNS))
    }

    /// Whether sockets accepted by a listener on `port` have to be marked. Connections from inside come to a slot,
    /// whose address says all; those from outside keep their own, and nothing else tells them from the application's.
    /// The mark costs an allocation for each connection.
    #[inline(always)]
    pub const fn marks_listener(&self, port: u16) -> bool {
        port == self.inbound_port
    }
}

/// How many pods can be enrolled on a node: entries in the table of pods.
pub const MAX_PODS: usize = 4096;

/// A pod's entry in the table of pods: what the programs act on, and what the loader wants to know of it later. One
/// entry, so that both change at the same instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Enrollment {
    pub policy: Policy,
    /// Tells whether a new configuration differs from this one.
    pub fingerprint: u64,
    /// Inode number of the network namespace.
    pub netns_inode: u64,
    /// Inode number of the cgroup, which is its id.
    pub cgroup_id: u64,
    /// Entries in the address and number tables.
    pub addresses: u32,
    pub numbers: u32,
}

/// What the loader remembers between two runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct NodeState {
    /// The last [`Policy::generation`] given out.
    pub last_generation: u32,
    /// Not zero while table entries may stand that no pod refers to: a run that finds it so sweeps first.
    pub unfinished: u32,
    /// Identifies the build of the programs that are loaded.
    pub object: u64,
}

/// Where a redirected connection was going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Destination {
    pub address: Address,
    /// Host byte order.
    pub port: u16,
    pub padding: u16,
}

impl Destination {
    #[inline(always)]
    pub const fn new(address: Address, port: u16) -> Self {
        Self { address, port, padding: 0 }
    }

    /// Equality, word by word.
    #[inline(always)]
    pub const fn same(&self, other: &Self) -> bool {
        self.address.same(other.address) && self.port == other.port
    }
}

/// What a slot holds: a destination, and the pod that it was given to. Another pod's slot is as good as an empty one,
/// so what one pod dials can push a destination of another out of the table, but never take its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct SlotEntry {
    /// The pod: the cookie of its network namespace.
    pub netns_cookie: u64,
    pub destination: Destination,
    pub padding: u32,
}

impl SlotEntry {
    #[inline(always)]
    pub const fn new(netns_cookie: u64, destination: Destination) -> Self {
        Self { netns_cookie, destination, padding: 0 }
    }

    /// Equality, word by word.
    #[inline(always)]
    pub const fn same(&self, other: &Self) -> bool {
        self.netns_cookie == other.netns_cookie && self.destination.same(&other.destination)
    }
}

/// The DNS server that a UDP socket asks by way of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct AskedServer {
    pub server: Destination,
    /// Not zero when the socket asks from loopback although its application left the source open: it is then shown the
    /// pod's address.
    pub source_is_pod: u32,
}

/// Key of the address tables: the pod's generation and the family before the address, so one trie serves all pods, and
/// a short IPv6 prefix does not cover the IPv4-mapped addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct AddressKey {
    /// Twice the generation, and one more for IPv6.
    table_be: u32,
    pub address: Address,
}

impl AddressKey {
    /// Bits before the address in a trie key.
    pub const PREFIX_BITS: u32 = 32;
    /// Bits of the whole key.
    pub const BITS: u32 = Self::PREFIX_BITS + 128;

    #[inline(always)]
    pub const fn new(generation: u32, address: Address) -> Self {
        let family = if address.is_v4() { 0 } else { 1 };
        Self { table_be: (generation << 1 | family).to_be(), address }
    }

    /// Whose entry this is.
    pub const fn generation(&self) -> u32 {
        u32::from_be(self.table_be) >> 1
    }
}

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum NumberSpace {
    Port = 0,
    Uid = 1,
    Gid = 2,
    /// The index of a network interface.
    Interface = 3,
}

impl NumberSpace {
    const ALL: [Self; 4] = [Self::Port, Self::Uid, Self::Gid, Self::Interface];
}

/// Key of the number table; all in network byte order, as a trie compares.
#[expect(clippy::struct_field_names, reason = "the byte order is part of each name")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct NumberKey {
    generation_be: u32,
    space_be: u32,
    number_be: u32,
}

impl NumberKey {
    /// Bits before the number in a trie key.
    pub const PREFIX_BITS: u32 = 64;
    /// Bits of the whole key.
    pub const BITS: u32 = Self::PREFIX_BITS + 32;

    #[inline(always)]
    pub const fn new(generation: u32, space: NumberSpace, number: u32) -> Self {
        Self {
            generation_be: generation.to_be(),
            space_be: (space as u32).to_be(),
            number_be: number.to_be(),
        }
    }

    /// Whose entry this is.
    pub const fn generation(&self) -> u32 {
        u32::from_be(self.generation_be)
    }

    /// The number, in host byte order.
    pub const fn number(&self) -> u32 {
        u32::from_be(self.number_be)
    }

    /// What the number is, if this version knows it.
    pub fn space(&self) -> Option<NumberSpace> {
        NumberSpace::ALL
            .into_iter()
            .find(|space| (*space as u32).to_be() == self.space_be)
    }
}

/// Key of the table of listening sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct ListenerKey {
    /// The pod: the cookie of its network namespace (`SO_NETNS_COOKIE`), never reused while the node is up.
    pub netns_cookie: u64,
    /// Host byte order.
    pub port: u16,
    pub scope: ListenerScope,
    /// Below [`LISTENERS_PER_PORT`].
    pub index: u32,
}

impl ListenerKey {
    #[inline(always)]
    pub const fn new(netns_cookie: u64, port: u16, scope: ListenerScope, index: u32) -> Self {
        Self { netns_cookie, port, scope, index }
    }
}

/// Which redirected connections a listening socket may have. REDIRECT sends those from inside the pod to `127.0.0.1`
/// and those from outside to an address of the pod, and a socket that is bound to one does not get what is sent to the
/// other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(transparent)]
pub struct ListenerScope(u16);

impl ListenerScope {
    /// Bound to no address.
    pub const ANY: Self = Self(0);
    /// Bound to a loopback address: connections from inside the pod.
    pub const INSIDE: Self = Self(1);
    /// Bound to an address of the pod: connections from outside.
    pub const OUTSIDE: Self = Self(2);

    /// The scope of a socket that is bound to `address`.
    #[inline(always)]
    pub const fn of(address: Address) -> Self {
        if address.is_unspecified() {
            Self::ANY
        } else if address.is_loopback() {
            Self::INSIDE
        } else {
            Self::OUTSIDE
        }
    }
}

/// Marks a listening socket of the proxy (see [`Policy::marks_listener`]) and, by inheritance, every socket it accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct ProxyListener {
    /// The port it listens on, host byte order.
    pub port: u32,
}

/// What the program in front of `on_sk_lookup` tells it: each pod has its own in front, and the shared one cannot ask
/// for the cookie of its network namespace.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Caller {
    /// The pod: the cookie of its network namespace.
    pub netns_cookie: u64,
    /// The address of the context that both get, which no other run has at the same time.
    pub context: u64,
}

/// One counter for each reason, per CPU.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Counters(pub [u64; Reason::COUNT]);

impl Default for Counters {
    fn default() -> Self {
        Self([0; Reason::COUNT])
    }
}
