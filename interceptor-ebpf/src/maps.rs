// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The maps of the kernel object, with their types and sizes. [`interceptor_policy::maps`] says what each holds. This
//! file reads and writes none of them.

use core::cell::UnsafeCell;

use aya_ebpf::{
    bindings::{BPF_F_CLONE, BPF_F_NO_PREALLOC},
    btf_maps::{
        Array, ArrayOfMaps, HashMap, HashOfMaps, LpmTrie, PerCpuArray, PerCpuHashMap, ProgramArray, RingBuf, SockHash,
    },
    macros::btf_map,
};
#[cfg(feature = "other-abi")]
use interceptor_policy::FormerSlotValue;
use interceptor_policy::{
    Address, AddressClass, AddressKey, AskedServer, Caller, CellClaim, Counters, Enrollment, ListenerKey, LostEvents,
    MAX_LISTENERS, MAX_PODS, MAX_TRACES, NodeState, NumberClass, NumberKey, Owner, ProxyListener, SlotKey, SlotValue,
    TraceEvent, Traces,
    acceleration::{FlowKey, Handshake, SocketState},
    maps::{self as names, MapName},
};

use crate::sk_storage::SkStorage;

/// Entries are allocated one by one: most nodes need few.
const SPARSE: usize = BPF_F_NO_PREALLOC as usize;
/// Accepted sockets inherit the value of the listening socket.
const INHERITED: usize = (BPF_F_NO_PREALLOC | BPF_F_CLONE) as usize;

/// A pod's table of slots. The loader makes one for each pod.
pub(crate) type SlotTrie = LpmTrie<SlotKey, SlotWords, { SlotKey::MAX_ENTRIES as usize }>;
/// A [`SlotValue`], of which programs change single words.
pub(crate) type SlotWords = [UnsafeCell<u64>; size_of::<SlotValue>() / size_of::<u64>()];

/// A table of slots of the former version of the ABI. Programs of this one only read it.
#[cfg(feature = "other-abi")]
pub(crate) type FormerSlotTrie = LpmTrie<SlotKey, FormerSlotWords, { SlotKey::MAX_ENTRIES as usize }>;
#[cfg(feature = "other-abi")]
pub(crate) type FormerSlotWords = [UnsafeCell<u64>; size_of::<FormerSlotValue>() / size_of::<u64>()];

/// The ring buffer of a trace. The loader makes one for each, of the size that it likes.
pub(crate) type TraceRing = RingBuf<TraceEvent, 65_536>;

/// Defines maps. A map that the lists in [`names`] do not name does not compile, and neither does a list that names a
/// map more than there are.
macro_rules! maps {
    ($($(#[$condition:meta])? static $name:ident: $type:ty;)+) => {
        $(
            $(#[$condition])?
            #[btf_map]
            pub(crate) static $name: $type = <$type>::new();
        )+

        const DEFINED: &[MapName] = &[$($(#[$condition])? names::$name),+];
        const _: () = assert!(
            DEFINED.len() == names::ALL.len() + names::FORMER.len() + names::ACCELERATION.len(),
            "interceptor_policy::maps lists a map that is not defined here"
        );
    };
}

maps! {
    static PODS: HashMap<u64, Enrollment, MAX_PODS, SPARSE>;
    static NODE: Array<NodeState, 1>;
    static COUNTERS: PerCpuHashMap<u64, Counters, MAX_PODS, SPARSE>;

    static ADDRESSES: LpmTrie<AddressKey, AddressClass, 4_194_304>;
    static PORTS_AND_IDS: LpmTrie<NumberKey, NumberClass, 4_194_304>;
    static SOURCE_ADDRS: LpmTrie<AddressKey, Address, 1_048_576>;
    static PRIMARY_ADDRS: HashMap<AddressKey, Address, 65_536, SPARSE>;

    static SLOTS: HashOfMaps<u64, SlotTrie, MAX_PODS, SPARSE>;
    #[cfg(feature = "other-abi")]
    static FORMER_SLOTS: HashOfMaps<u64, FormerSlotTrie, MAX_PODS, SPARSE>;
    static SLOT_CLAIMS: HashMap<CellClaim, u32, 1024>;
    static LISTENERS: SockHash<ListenerKey, MAX_LISTENERS>;
    static LOOKUP_CALLER: PerCpuArray<Caller, 1>;
    static LOOKUP_PROGS: ProgramArray<1>;

    static OWNERS: SkStorage<Owner, SPARSE>;
    static PROXY_SOCKETS: SkStorage<ProxyListener, INHERITED>;
    static DNS_SERVERS: SkStorage<AskedServer, SPARSE>;

    static TRACES: Array<Traces, 1>;
    static TRACE_RINGS: ArrayOfMaps<TraceRing, MAX_TRACES>;
    static TRACE_LOST: PerCpuArray<LostEvents, 1>;

    static ACCELERATED: SockHash<FlowKey, 262_144>;
    static HANDSHAKES: HashMap<FlowKey, Handshake, 262_144, SPARSE>;
    static SOCKET_STATE: SkStorage<SocketState, SPARSE>;
    static LOCAL_PODS: HashMap<Address, u64, 65_536, SPARSE>;
}
