// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask demo`: not written yet, and not listed.
