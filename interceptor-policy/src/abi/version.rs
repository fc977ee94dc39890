// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The version of everything that two builds of loader and programs would have to agree on.

/// Raise it when a type in `abi` or `acceleration`, the list of reasons, or the meaning of a map changes. It is part of
/// the path of all pins, so two versions never share a map.
pub const ABI_VERSION: u32 = 9;
