// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which end of a connection a socket is. It changes nothing.

use aya_ebpf::bindings::bpf_sockopt;

use crate::kernel_memory::{constant, read};

/// Zero if this kernel lets no program read its memory (lockdown for confidentiality), which the loader finds out. The
/// verifier then refuses the helper.
#[unsafe(no_mangle)]
static MAY_READ_KERNEL: u64 = 0;

// Offsets, in bytes, which the loader takes from the type information of the running kernel.

/// Of `sk` in `struct bpf_sockopt_kern`, a pointer to a `struct sock`.
#[unsafe(no_mangle)]
static SOCKOPT_SK: usize = 0;
/// Of `mc_index` in `struct inet_sock`, which begins with the `struct sock`.
#[unsafe(no_mangle)]
static INET_MC_INDEX: usize = 0;
/// Of `pinet6` in `struct inet_sock`, a pointer to a `struct ipv6_pinfo`. Zero if the kernel has no IPv6.
#[unsafe(no_mangle)]
static INET_PINET6: usize = 0;
/// Of `mcast_oif` in `struct ipv6_pinfo`.
#[unsafe(no_mangle)]
static IPV6_MCAST_OIF: usize = 0;

/// Whether the TCP socket whose option is asked for was accepted. Otherwise it has connected. `None` if that cannot be
/// told.
///
/// No helper tells. But the kernel notes in an accepted socket by which interface its client is reached, in the place
/// of the interface for multicast, which nobody can set on a TCP socket
/// ([`tcp_v4_syn_recv_sock`](https://github.com/torvalds/linux/blob/v6.12/net/ipv4/tcp_ipv4.c#L1739),
/// [`tcp_v6_syn_recv_sock`](https://github.com/torvalds/linux/blob/v6.12/net/ipv6/tcp_ipv6.c#L1377)).
#[inline(always)]
pub(crate) fn is_accepted(sockopt: *mut bpf_sockopt) -> Option<bool> {
    if constant!(MAY_READ_KERNEL) == 0 {
        return None;
    }
    // The context is the kernel's own `struct bpf_sockopt_kern`, for those who read by its address.
    let sk = read(sockopt.expose_provenance() as u64, constant!(SOCKOPT_SK))?;
    let of_ipv4: u32 = read(sk, constant!(INET_MC_INDEX))?;
    Some(of_ipv4 != 0 || interface_of_ipv6(sk) != 0)
}

/// Zero for a socket of family `AF_INET`.
#[inline(always)]
fn interface_of_ipv6(sk: u64) -> u32 {
    if constant!(INET_PINET6) == 0 {
        return 0;
    }
    match read(sk, constant!(INET_PINET6)) {
        Some(0_u64) | None => 0,
        Some(pinet6) => read(pinet6, constant!(IPV6_MCAST_OIF)).unwrap_or(0),
    }
}
