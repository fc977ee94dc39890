// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Constants that the loader sets, and the kernel's own structures, whose field offsets are such constants. Programs
//! never write there.

use core::ffi::c_void;

use aya_ebpf::helpers::bpf_probe_read_kernel;

/// Reads a constant that the loader sets before it loads the programs: `constant!(NAME)`.
macro_rules! constant {
    ($name:ident) => {
        // SAFETY: a read of a constant. It is volatile, because the compiler knows the initial value only.
        unsafe { core::ptr::read_volatile(&raw const $name) }
    };
}

/// Reads a field of a kernel structure: `kernel_field!(base, offset => Type)`. The loader has set the offset.
macro_rules! kernel_field {
    ($base:expr, $offset:expr => $type:ty) => {{
        let field = $base.wrapping_byte_add($offset).cast::<$type>();
        // SAFETY: the verifier checks the offset against the kernel's type information.
        unsafe { field.read_volatile() }
    }};
}

pub(crate) use {constant, kernel_field};

/// Reads kernel memory. `None` if the address is not mapped.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the kernel's words have 64 bits")]
pub(crate) fn read<T>(address: u64, offset: usize) -> Option<T> {
    let field = core::ptr::with_exposed_provenance::<c_void>(address as usize).wrapping_byte_add(offset);
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_kernel(field.cast()) }.ok()
}
