// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Socket storage: a map that keeps one value with each socket. The kernel removes the value with the socket.

use core::{ffi::c_void, ptr::NonNull};

use aya_ebpf::{
    bindings::{BPF_SK_STORAGE_GET_F_CREATE, bpf_map_type::BPF_MAP_TYPE_SK_STORAGE},
    helpers::generated::bpf_sk_storage_get,
};

use crate::socket::Socket;

/// Socket storage with any flags, for any kind of program. (The type of aya-ebpf has fixed flags, and serves
/// `bpf_sock_addr` programs only.) The fields and their order are those of libbpf's BTF map definitions.
#[repr(C)]
pub(crate) struct SkStorage<T, const FLAGS: usize> {
    r#type: *const [i32; BPF_MAP_TYPE_SK_STORAGE as usize],
    key: *const i32,
    value: *const T,
    max_entries: *const [i32; 0],
    map_flags: *const [i32; FLAGS],
}

// SAFETY: the fields only describe the map to the loader. Nobody reads or writes them.
unsafe impl<T, const FLAGS: usize> Sync for SkStorage<T, FLAGS> {}

impl<T: Copy, const FLAGS: usize> SkStorage<T, FLAGS> {
    pub(crate) const fn new() -> Self {
        Self {
            r#type: core::ptr::null(),
            key: core::ptr::null(),
            value: core::ptr::null(),
            max_entries: core::ptr::null(),
            map_flags: core::ptr::null(),
        }
    }

    /// A copy of the value that is kept with the socket, if there is one.
    #[inline(always)]
    pub(crate) fn get(&self, socket: Socket) -> Option<T> {
        self.get_of(socket.as_non_null())
    }

    /// The same, for a socket of another type than `struct bpf_sock`.
    #[inline(always)]
    pub(crate) fn get_of(&self, socket: NonNull<c_void>) -> Option<T> {
        // SAFETY: the value lives as long as the socket.
        self.pointer(socket).map(|value| unsafe { value.read() })
    }

    /// The value that is kept with the socket, in place, if there is one. It lives as long as the socket, and other
    /// programs may read it at the same time.
    #[inline(always)]
    pub(crate) fn get_ptr(&self, socket: Socket) -> Option<NonNull<T>> {
        self.pointer(socket.as_non_null())
    }

    #[inline(always)]
    fn pointer(&self, socket: NonNull<c_void>) -> Option<NonNull<T>> {
        // SAFETY: the map outlives the program, and the socket is not null. With a null value, the helper creates
        // nothing.
        let value = unsafe { bpf_sk_storage_get(self.map(), socket.as_ptr(), core::ptr::null_mut(), 0) };
        NonNull::new(value.cast())
    }

    /// Keeps `value` with the socket, unless a value is kept already. False if there is no memory for it.
    #[inline(always)]
    pub(crate) fn set(&self, socket: Socket, value: T) -> bool {
        self.get_or_insert(socket, value).is_some()
    }

    /// Keeps `value` with the socket, and replaces a value that is kept already. False if there is no memory for it.
    #[inline(always)]
    pub(crate) fn replace(&self, socket: Socket, value: T) -> bool {
        let Some(kept) = self.get_or_insert(socket, value) else {
            return false;
        };
        // SAFETY: the value lives as long as the socket, and a system call is using the socket.
        unsafe { kept.write(value) };
        true
    }

    /// The value that is kept with the socket, in place. If there was none, `value` is kept. `None` if there is no
    /// memory for it.
    #[inline(always)]
    pub(crate) fn get_or_insert(&self, socket: Socket, mut value: T) -> Option<NonNull<T>> {
        let initial = (&raw mut value).cast::<c_void>();
        // SAFETY: as in `pointer`. `initial` points to a `T` on the stack, which the helper copies.
        let kept =
            unsafe { bpf_sk_storage_get(self.map(), socket.as_ptr(), initial, u64::from(BPF_SK_STORAGE_GET_F_CREATE)) };
        NonNull::new(kept.cast())
    }

    #[inline(always)]
    const fn map(&self) -> *mut c_void {
        core::ptr::from_ref(self).cast_mut().cast()
    }
}
