// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The kernel object as it is part of this program. Nothing here reads it.

/// The kernel programs, built by `build.rs`.
pub(crate) static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/interceptor-ebpf"));
