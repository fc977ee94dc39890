// SPDX-License-Identifier: Apache-2.0 OR MIT
//! All maps, shared by all pods of the node. `ARCHITECTURE.md` draws them.

use core::{ffi::c_void, ptr::NonNull};

use aya_ebpf::{
    bindings::{BPF_F_CLONE, BPF_F_NO_PREALLOC, BPF_SK_STORAGE_GET_F_CREATE, bpf_map_type::BPF_MAP_TYPE_SK_STORAGE},
    btf_maps::{Array, HashMap, LpmTrie, LruHashMap, PerCpuArray, PerCpuHashMap, ProgramArray, SockHash},
    helpers::generated::bpf_sk_storage_get,
    macros::btf_map,
};
use interceptor_policy::{
    Address, AddressClass, AddressKey, AskedServer, Caller, Counters, Enrollment, ListenerKey, MAX_PODS, NodeState,
    NumberClass, NumberKey, Owner, ProxyListener, SlotEntry,
    acceleration::{FlowKey, Handshake, SocketState},
};

use crate::socket::Socket;

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

/// Socket storage with flags of our choice and for every kind of program; aya-ebpf's own fixes the flags and serves
/// only `bpf_sock_addr` programs. Fields and order are those of libbpf's BTF map definitions.
#[repr(C)]
pub(crate) struct SkStorage<T, const FLAGS: usize> {
    r#type: *const [i32; BPF_MAP_TYPE_SK_STORAGE as usize],
    key: *const i32,
    value: *const T,
    max_entries: *const [i32; 0],
    map_flags: *const [i32; FLAGS],
}

// SAFETY: the fields describe the map to the loader; nobody reads or writes them.
unsafe impl<T, const FLAGS: usize> Sync for SkStorage<T, FLAGS> {}

impl<T: Copy, const FLAGS: usize> SkStorage<T, FLAGS> {
    const fn new() -> Self {
        Self {
            r#type: core::ptr::null(),
            key: core::ptr::null(),
            value: core::ptr::null(),
            max_entries: core::ptr::null(),
            map_flags: core::ptr::null(),
        }
    }

    /// What is kept with the socket, if anything.
    #[inline(always)]
    pub(crate) fn get(&self, socket: Socket) -> Option<T> {
        self.get_of(socket.as_non_null())
    }

    /// The same for a socket of another type than `struct bpf_sock`.
    #[inline(always)]
    pub(crate) fn get_of(&self, socket: NonNull<c_void>) -> Option<T> {
        // SAFETY: the value is alive as long as the socket.
        self.pointer(socket).map(|value| unsafe { value.read() })
    }

    /// As [`Self::get`], in place: it is alive as long as the socket, and others may be looking at it.
    #[inline(always)]
    pub(crate) fn get_ptr(&self, socket: Socket) -> Option<NonNull<T>> {
        self.pointer(socket.as_non_null())
    }

    #[inline(always)]
    fn pointer(&self, socket: NonNull<c_void>) -> Option<NonNull<T>> {
        // SAFETY: the map outlives the program, the socket is not null, and a null value creates nothing.
        let value = unsafe { bpf_sk_storage_get(self.map(), socket.as_ptr(), core::ptr::null_mut(), 0) };
        NonNull::new(value.cast())
    }

    /// Keeps `value` with the socket, unless something is kept already; false when there is no memory for it.
    #[inline(always)]
    pub(crate) fn set(&self, socket: Socket, value: T) -> bool {
        self.get_or_insert(socket, value).is_some()
    }

    /// Keeps `value` with the socket, instead of what may be kept; false when there is no memory for it.
    #[inline(always)]
    pub(crate) fn replace(&self, socket: Socket, value: T) -> bool {
        let Some(kept) = self.get_or_insert(socket, value) else {
            return false;
        };
        // SAFETY: the value belongs to this socket, whose owner is in a system call on it.
        unsafe { kept.write(value) };
        true
    }

    /// What is kept with the socket, which is `value` if nothing was before.
    #[inline(always)]
    pub(crate) fn get_or_insert(&self, socket: Socket, mut value: T) -> Option<NonNull<T>> {
        let initial = (&raw mut value).cast::<c_void>();
        // SAFETY: as in `get`; `initial` points to a `T` on the stack, which the helper copies.
        let kept =
            unsafe { bpf_sk_storage_get(self.map(), socket.as_ptr(), initial, u64::from(BPF_SK_STORAGE_GET_F_CREATE)) };
        NonNull::new(kept.cast())
    }

    #[inline(always)]
    const fn map(&self) -> *mut c_void {
        core::ptr::from_ref(self).cast_mut().cast()
    }
}
