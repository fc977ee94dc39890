// SPDX-License-Identifier: Apache-2.0 OR MIT
//! All maps, shared by all pods of the node. `ARCHITECTURE.md` draws them.

use aya_ebpf::{
    bindings::{BPF_F_CLONE, BPF_F_NO_PREALLOC},
    btf_maps::{Array, HashMap, LpmTrie, LruHashMap, PerCpuArray, PerCpuHashMap, ProgramArray, SockHash},
    macros::btf_map,
};
use interceptor_policy::{
    Address, AddressClass, AddressKey, AskedServer, Caller, Counters, Enrollment, ListenerKey, MAX_PODS, NodeState,
    NumberClass, NumberKey, Owner, ProxyListener, SlotEntry,
    acceleration::{FlowKey, Handshake, SocketState},
};

use crate::sk_storage::SkStorage;

/// Allocated entry by entry: a node has few pods.
const SPARSE: usize = BPF_F_NO_PREALLOC as usize;

/// Network namespace cookie → enrollment. The entry enrolls the pod: written last, removed first.
#[btf_map]
pub(crate) static PODS: HashMap<u64, Enrollment, MAX_PODS, SPARSE> = HashMap::new();

/// The loader's own notes; no program reads them, and they live and die with the other maps.
#[btf_map]
pub(crate) static NODE: Array<NodeState, 1> = Array::new();

/// Reasons counted, by pod.
#[btf_map]
pub(crate) static COUNTERS: PerCpuHashMap<u64, Counters, MAX_PODS, SPARSE> = PerCpuHashMap::new();

/// What the lists say of an address; a prefix carries the bits of all prefixes that cover it.
#[btf_map]
pub(crate) static ADDRESSES: LpmTrie<AddressKey, AddressClass, 4_194_304> = LpmTrie::new();

/// What the lists say of a port, a user, a group.
#[btf_map]
pub(crate) static PORTS_AND_IDS: LpmTrie<NumberKey, NumberClass, 4_194_304> = LpmTrie::new();

/// Destination → source of connections to it, in pods where that is not always the same.
#[btf_map]
pub(crate) static SOURCE_ADDRS: LpmTrie<AddressKey, Address, 1_048_576> = LpmTrie::new();

/// Secondary address → first address of its interface: what REDIRECT makes of an inbound connection's local address.
#[btf_map]
pub(crate) static PRIMARY_ADDRS: HashMap<AddressKey, Address, 65_536, SPARSE> = HashMap::new();

/// Slot → a pod and its destination. Nobody can connect to a slot that they were not given (see `connect`), nor make
/// use of another pod's.
#[btf_map]
pub(crate) static SLOTS: LruHashMap<u32, SlotEntry, 65_536> = LruHashMap::new();

/// The listening sockets of the sidecars. The kernel takes an entry out when its socket closes.
#[btf_map]
pub(crate) static LISTENERS: SockHash<ListenerKey, 65_536> = SockHash::new();

/// Which pod's program is calling `on_sk_lookup`, on each CPU.
#[btf_map]
pub(crate) static LOOKUP_CALLER: PerCpuArray<Caller, 1> = PerCpuArray::new();

/// Where each pod's program finds `on_sk_lookup`.
#[btf_map]
pub(crate) static LOOKUP_PROGS: ProgramArray<1> = ProgramArray::new();

/// Credentials, with the sockets that the rules treat specially.
#[btf_map]
pub(crate) static OWNERS: SkStorage<Owner, { BPF_F_NO_PREALLOC as usize }> = SkStorage::new();

/// The sidecar's listening sockets for connections from outside and, inherited from them, all they accept.
#[btf_map]
pub(crate) static PROXY_SOCKETS: SkStorage<ProxyListener, { (BPF_F_NO_PREALLOC | BPF_F_CLONE) as usize }> =
    SkStorage::new();

/// The DNS server that a UDP socket asked first, and is answered by.
#[btf_map]
pub(crate) static DNS_SERVERS: SkStorage<AskedServer, { BPF_F_NO_PREALLOC as usize }> = SkStorage::new();

/// The sockets whose data is moved directly. The kernel takes an entry out when its socket closes, and nobody else may:
/// that would destroy what waits to be read.
#[btf_map]
pub(crate) static ACCELERATED: SockHash<FlowKey, 262_144> = SockHash::new();

/// What each of them lets its other end know.
#[btf_map]
pub(crate) static HANDSHAKES: HashMap<FlowKey, Handshake, 262_144, SPARSE> = HashMap::new();

/// What each of them knows itself.
#[btf_map]
pub(crate) static SOCKET_STATE: SkStorage<SocketState, { BPF_F_NO_PREALLOC as usize }> = SkStorage::new();

/// Address → the one accelerated pod of the node that has it; addresses of several pods are left out.
#[btf_map]
pub(crate) static LOCAL_PODS: HashMap<Address, u64, 65_536, SPARSE> = HashMap::new();
