// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Every program of the kernel object: where it attaches, for which pods, and since which kernel. A new hook is one
//! row here. This file loads and attaches nothing.

use aya_obj::generated::bpf_attach_type::{
    self, BPF_CGROUP_GETSOCKOPT, BPF_CGROUP_INET_SOCK_CREATE, BPF_CGROUP_INET4_BIND, BPF_CGROUP_INET4_CONNECT,
    BPF_CGROUP_INET4_GETPEERNAME, BPF_CGROUP_INET4_GETSOCKNAME, BPF_CGROUP_INET6_BIND, BPF_CGROUP_INET6_CONNECT,
    BPF_CGROUP_INET6_GETPEERNAME, BPF_CGROUP_INET6_GETSOCKNAME, BPF_CGROUP_SETSOCKOPT, BPF_CGROUP_SOCK_OPS,
    BPF_CGROUP_UDP4_RECVMSG, BPF_CGROUP_UDP4_SENDMSG, BPF_CGROUP_UDP6_RECVMSG, BPF_CGROUP_UDP6_SENDMSG, BPF_SK_LOOKUP,
    BPF_SK_MSG_VERDICT, BPF_TCX_EGRESS, BPF_TRACE_FENTRY,
};
use interceptor_policy::{Policy, PolicyFlags};

/// A program of the object, and where it attaches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProgramInfo {
    /// Its name in the object, and the name of its pins.
    pub(crate) name: &'static str,
    pub(crate) attach_type: bpf_attach_type,
    /// The first Linux version that has all it uses.
    pub(crate) since: &'static str,
    needed: Needed,
}

/// Which pods a program is attached for. The others do not pay for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needed {
    Always,
    /// Where DNS is captured.
    ForDns,
    /// Where what leaves the pod is guarded.
    ForGuard,
    /// Where connections are accelerated.
    ForAcceleration,
}

use Needed::{Always, ForAcceleration, ForDns, ForGuard};

/// The program that decides on connections that come to a pod's network namespace. What is attached is the pod's
/// [stub](super::lookup_stub) in front of it.
pub(crate) const SK_LOOKUP: ProgramInfo = row("on_sk_lookup", BPF_SK_LOOKUP, "5.17", Always);

/// The programs that are attached to a pod's cgroup, and shared by all pods.
pub(crate) const CGROUP_PROGRAMS: [ProgramInfo; 15] = [
    row("on_sock_create", BPF_CGROUP_INET_SOCK_CREATE, "5.18", Always),
    row("on_sockops", BPF_CGROUP_SOCK_OPS, "5.19", Always),
    row("on_getsockopt", BPF_CGROUP_GETSOCKOPT, "5.15", Always),
    row("on_getpeername4", BPF_CGROUP_INET4_GETPEERNAME, "5.8", Always),
    row("on_getpeername6", BPF_CGROUP_INET6_GETPEERNAME, "5.8", Always),
    row("on_getsockname4", BPF_CGROUP_INET4_GETSOCKNAME, "5.8", Always),
    row("on_getsockname6", BPF_CGROUP_INET6_GETSOCKNAME, "5.8", Always),
    row("on_bind4", BPF_CGROUP_INET4_BIND, "5.18", Always),
    row("on_bind6", BPF_CGROUP_INET6_BIND, "5.18", Always),
    row("on_recvmsg4", BPF_CGROUP_UDP4_RECVMSG, "5.8", ForDns),
    row("on_recvmsg6", BPF_CGROUP_UDP6_RECVMSG, "5.8", ForDns),
    row("on_sendmsg4", BPF_CGROUP_UDP4_SENDMSG, "5.18", ForDns),
    row("on_sendmsg6", BPF_CGROUP_UDP6_SENDMSG, "5.18", ForDns),
    row("on_connect4", BPF_CGROUP_INET4_CONNECT, "5.19", Always),
    row("on_connect6", BPF_CGROUP_INET6_CONNECT, "5.19", Always),
];

/// The program that is attached to each interface of a pod other than `lo`. Without it, pods are enrolled all the same.
pub(crate) const GUARD: ProgramInfo = row("on_guard", BPF_TCX_EGRESS, "6.6", ForGuard);

/// The programs that are attached to the cgroups of accelerated pods as well. They are loaded when the first such pod
/// is enrolled.
pub(crate) const ACCELERATION_CGROUP_PROGRAMS: [ProgramInfo; 2] = [
    row("on_established", BPF_CGROUP_SOCK_OPS, "5.11", ForAcceleration),
    row("on_setsockopt", BPF_CGROUP_SETSOCKOPT, "5.18", ForAcceleration),
];

/// The program that is attached to the map of accelerated sockets, for as long as the map exists.
pub(crate) const MESSAGE: ProgramInfo = row("on_message", BPF_SK_MSG_VERDICT, "5.8", ForAcceleration);

/// The program that is attached to the kernel function [`TRACED`]. Some kernels are built or locked down so that no
/// program can be attached to a function; acceleration works without it.
pub(crate) const URGENT: ProgramInfo = row("on_urgent", BPF_TRACE_FENTRY, "5.11", ForAcceleration);

/// The kernel function that [`URGENT`] runs before. Only sockets in socket maps call it.
pub(crate) const TRACED: &str = "tcp_bpf_sendmsg";

/// The programs that every node needs, whatever its kernel lacks.
pub(crate) fn programs() -> impl Iterator<Item = ProgramInfo> {
    CGROUP_PROGRAMS.into_iter().chain([SK_LOOKUP])
}

/// The programs that acceleration needs.
pub(crate) fn acceleration_programs() -> impl Iterator<Item = ProgramInfo> {
    ACCELERATION_CGROUP_PROGRAMS.into_iter().chain([MESSAGE])
}

impl ProgramInfo {
    /// Whether the program is attached for a pod with this policy.
    pub(crate) fn is_needed(self, policy: &Policy) -> bool {
        match self.needed {
            Always => true,
            ForDns => policy.has(PolicyFlags::DNS),
            ForGuard => policy.has(PolicyFlags::GUARD),
            ForAcceleration => policy.has(PolicyFlags::ACCELERATE),
        }
    }
}

/// Whether the program gives out slots. The others read them, if they look at slots at all.
pub(crate) const fn gives_out_slots(info: ProgramInfo) -> bool {
    matches!(
        info.attach_type,
        BPF_CGROUP_INET4_CONNECT | BPF_CGROUP_INET6_CONNECT | BPF_CGROUP_UDP4_SENDMSG | BPF_CGROUP_UDP6_SENDMSG
    )
}

const fn row(name: &'static str, attach_type: bpf_attach_type, since: &'static str, needed: Needed) -> ProgramInfo {
    ProgramInfo { name, attach_type, since, needed }
}
