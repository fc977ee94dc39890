// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The loader of Interceptor: `policy` turns the flags of `istio-iptables` into what the kernel programs look up,
//! `kernel` puts it in force, `cli` is the command line. The kernel programs themselves are in `interceptor-ebpf`, the
//! rules in `interceptor-policy`.

mod accounts;
pub mod cli;
pub mod kernel;

pub use accounts::SystemAccounts;
