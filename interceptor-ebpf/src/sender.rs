// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who sends a packet: its network namespace, its socket, the socket's cgroup and maker. It knows no rule.

use aya_ebpf::{
    bindings::__sk_buff,
    helpers::generated::{bpf_sk_fullsock, bpf_skb_ancestor_cgroup_id},
};

use crate::{
    credentials::{CRED_FSGID, CRED_FSUID},
    ctx::pointer_field,
    kernel_memory::{constant, read},
    search::{Search, find_first},
    socket::Socket,
};

// Offsets, in bytes, which the loader takes from the type information of the running kernel.

/// Of `dev` in `struct sk_buff`, a pointer to a `struct net_device`.
#[unsafe(no_mangle)]
static SKB_DEV: usize = 0;
/// Of `nd_net` in `struct net_device`, a pointer to a `struct net`.
#[unsafe(no_mangle)]
static NET_DEVICE_NET: usize = 0;
/// Of `net_cookie` in `struct net`.
#[unsafe(no_mangle)]
static NET_COOKIE: usize = 0;
/// Of `sk` in `struct sk_buff`, a pointer to a `struct sock`.
#[unsafe(no_mangle)]
static SKB_SK: usize = 0;
/// Of `sk_socket` in `struct sock`, a pointer to a `struct socket`.
#[unsafe(no_mangle)]
static SOCK_SOCKET: usize = 0;
/// Of `file` in `struct socket`, a pointer to a `struct file`.
#[unsafe(no_mangle)]
static SOCKET_FILE: usize = 0;
/// Of `f_cred` in `struct file`, a pointer to a `struct cred`.
#[unsafe(no_mangle)]
static FILE_CRED: usize = 0;

/// The socket that sends the packet. `None` if there is none, or one of the kernel's that answers before a connection
/// is made, or after it.
#[inline(always)]
pub(crate) fn socket(skb: *mut __sk_buff) -> Option<Socket> {
    let socket = Socket::new(pointer_field!(skb, __bindgen_anon_2))?;
    // SAFETY: the helper takes any socket, and returns it or null.
    Socket::new(unsafe { bpf_sk_fullsock(socket.as_ptr().cast()) })
}

/// The cookie of the network namespace that the interface belongs to. (The helper that tells it came to these programs
/// with Linux 6.15.) `None` never happens.
#[inline(always)]
pub(crate) fn netns_cookie(skb: *mut __sk_buff) -> Option<u64> {
    let device = read(address_of(skb), constant!(SKB_DEV))?;
    let net = read(device, constant!(NET_DEVICE_NET))?;
    read(net, constant!(NET_COOKIE))
}

/// User and group of the file of the packet's socket, which `-m owner` compares. `None` for a socket without a file: a
/// socket of the kernel, or one that is being closed.
#[inline(always)]
pub(crate) fn credentials(skb: *mut __sk_buff) -> Option<(u32, u32)> {
    let sk = read(address_of(skb), constant!(SKB_SK)).filter(is_there)?;
    let socket = read(sk, constant!(SOCK_SOCKET)).filter(is_there)?;
    let file = read(socket, constant!(SOCKET_FILE)).filter(is_there)?;
    let cred = read(file, constant!(FILE_CRED))?;
    Some((read(cred, constant!(CRED_FSUID))?, read(cred, constant!(CRED_FSGID))?))
}

/// Whether the packet's socket was made in the cgroup with this id, or below it. That is where the programs for system
/// calls run for the socket.
#[inline(always)]
pub(crate) fn is_in_cgroup(skb: *mut __sk_buff, id: u64) -> bool {
    /// Far deeper than any cgroup is. What is deeper counts as outside.
    const DEEPEST: u32 = 64;
    let found = find_first(DEEPEST, Ancestors { skb, id });
    found.is_some_and(|level| ancestor(skb, level) == id)
}

/// Looks for a cgroup among those that the socket's cgroup lies in, from the root of all down.
struct Ancestors {
    skb: *mut __sk_buff,
    id: u64,
}

impl Search for Ancestors {
    /// Accepts the cgroup, and the level below the socket's own, which has the id 0.
    #[inline(always)]
    fn accepts(&self, level: u32) -> bool {
        let ancestor = ancestor(self.skb, level);
        ancestor == self.id || ancestor == 0
    }
}

#[inline(always)]
#[expect(clippy::cast_possible_wrap, reason = "levels are few")]
fn ancestor(skb: *mut __sk_buff, level: u32) -> u64 {
    // SAFETY: the helper accepts the context of programs at interfaces, with any level.
    unsafe { bpf_skb_ancestor_cgroup_id(skb, level as i32) }
}

/// The context of a program at an interface is the kernel's own `struct sk_buff`, for those who read by its address.
#[inline(always)]
fn address_of(skb: *mut __sk_buff) -> u64 {
    skb.expose_provenance() as u64
}

#[inline(always)]
fn is_there(pointer: &u64) -> bool {
    *pointer != 0
}
