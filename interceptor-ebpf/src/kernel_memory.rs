// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Constants that the loader sets, and the kernel's own structures, whose field offsets are such constants. Programs
//! never write there.

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
