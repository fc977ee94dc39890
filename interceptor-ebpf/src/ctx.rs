// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How programs read and write the kernel's contexts, and the socket addresses that contexts and helpers exchange.
//! It knows no map and no rule.

use interceptor_policy::Address;

/// Reads a field of a kernel context: `field!(context, name)`.
///
/// Each field is read on its own and at once. If the compiler could merge or delay reads, it might compute a pointer
/// into the context, and the verifier refuses that.
macro_rules! field {
    ($ctx:expr, $($field:tt)+) => {{
        let ctx = $ctx;
        // SAFETY: the context is valid while the program runs, and the verifier checks the field's offset and size.
        unsafe { core::ptr::read_volatile(&raw const (*ctx).$($field)+) }
    }};
}

/// Reads a pointer that a kernel context keeps in a union with its padding: `pointer_field!(context, union)`.
macro_rules! pointer_field {
    ($ctx:expr, $union:ident) => {{
        let ctx = $ctx;
        // SAFETY: the context is valid while the program runs.
        let pointer = unsafe { &raw const (*ctx).$union }.cast();
        // SAFETY: the union holds a pointer.
        unsafe { core::ptr::read_volatile(pointer) }
    }};
}

/// Writes a field of a kernel context: `set_field!(context, name = value)`.
///
/// Each field is written on its own. The compiler would write two neighbors with one store, which the verifier refuses.
macro_rules! set_field {
    ($ctx:expr, $field:ident $([$index:literal])? = $value:expr) => {{
        let (ctx, value) = ($ctx, $value);
        // SAFETY: the context is valid while the program runs, and the verifier checks that the program may write the
        // field.
        unsafe { core::ptr::write_volatile(&raw mut (*ctx).$field $([$index])?, value) }
    }};
}

pub(crate) use {field, pointer_field, set_field};

pub(crate) const AF_INET: u16 = 2;
pub(crate) const AF_INET6: u16 = 10;

/// `struct sockaddr_in`.
#[repr(C)]
pub(crate) struct SockaddrIn {
    family: u16,
    port_be: u16,
    address_be: u32,
    zero: [u32; 2],
}

impl SockaddrIn {
    #[inline(always)]
    pub(crate) const fn new(address: Address, port: u16) -> Self {
        Self {
            family: AF_INET,
            port_be: port.to_be(),
            address_be: address.v4_be(),
            zero: [0; 2],
        }
    }
}

/// `struct sockaddr_in6`.
#[repr(C)]
pub(crate) struct SockaddrIn6 {
    family: u16,
    port_be: u16,
    flow_info: u32,
    /// Network byte order.
    address: [u32; 4],
    scope_id: u32,
}

impl SockaddrIn6 {
    #[inline(always)]
    pub(crate) const fn new(address: Address, port: u16) -> Self {
        Self {
            family: AF_INET6,
            port_be: port.to_be(),
            flow_info: 0,
            address: address.0,
            scope_id: 0,
        }
    }
}
