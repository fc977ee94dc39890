// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Everything that reads foreign input, for the fuzzers in the member `fuzz`. It has no part in the program, and does
//! no I/O.

mod configuration;
mod netlink;
mod texts;

/// Something that reads what others wrote. It may refuse an input. It must not panic, and it must end.
pub struct Target {
    /// Also the name of the folder with its seeds.
    pub name: &'static str,
    pub read: fn(&[u8]),
}

/// All of them, by name.
pub const TARGETS: &[Target] = &[
    Target { name: "btf", read: texts::btf },
    Target { name: "cgroup-path", read: texts::cgroup_path },
    Target { name: "flags", read: configuration::flags },
    Target { name: "id-map", read: texts::id_map },
    Target { name: "kernel-release", read: texts::kernel_release },
    Target { name: "locks", read: texts::locks },
    Target { name: "mountinfo", read: texts::mountinfo },
    Target { name: "resolv-conf", read: configuration::resolv_conf },
    Target { name: "routes", read: netlink::routes },
    Target { name: "services", read: texts::services },
    Target { name: "sock-diag", read: netlink::sock_diag },
    Target { name: "tcp-table", read: netlink::tcp_table },
];
