// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Floor 2: the kernel object, its programs, and the stub in front of `on_sk_lookup`. It pins nothing by itself.

pub(crate) mod attach;
pub(crate) mod build;
mod embedded;
pub(crate) mod fingerprint;
mod kernel_reader;
pub(crate) mod lookup_stub;
pub(crate) mod object;
pub(crate) mod table;
