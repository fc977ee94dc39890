// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a user of the command line can do about an error, in the words of the command line. The errors themselves
//! name no flag and no command.

use crate::EnrollError;

/// The next step after an error, as a clause to put behind its text. `None` where the text says all there is to say.
pub(super) fn advice(error: &EnrollError) -> Option<&'static str> {
    match error {
        EnrollError::Config(_) | EnrollError::Failed(_) => None,
        EnrollError::HostNamespace { .. } => {
            Some("run this inside the pod, or name the pod's network namespace with --netns")
        }
        EnrollError::NotANamespace { .. } => Some("name a network namespace with --netns"),
        EnrollError::NotACgroup { .. } => {
            Some("name the pod's cgroup with --cgroup; `findmnt -t cgroup2` shows where cgroup2 is mounted")
        }
        EnrollError::RootCgroup { .. } => Some("name the pod's own cgroup with --cgroup"),
        EnrollError::UnknownCgroup { .. } => {
            Some("mount the host's cgroup2 hierarchy into the container, or name the pod's cgroup with --cgroup")
        }
        EnrollError::Outside { .. } => {
            Some("move them, or leave out --strict: what they connect to is not intercepted")
        }
        EnrollError::OtherRules { .. } => Some("remove them, with `istio-clean-iptables` of Istio in the pod"),
        EnrollError::OtherCgroup { .. } | EnrollError::OtherDataPath { .. } => {
            Some("unenroll the pod first: `interceptor unenroll --netns PATH`")
        }
        EnrollError::NestedCgroup { .. } => {
            Some("name the pod's own cgroup with --cgroup, or unenroll the other pod; `interceptor status` shows it")
        }
        EnrollError::NoIptables { .. } => {
            Some("install iptables so that only root can write to it, or choose another with --force-iptables-binary")
        }
        EnrollError::LoopbackDown => Some("bring it up in the pod, with `ip link set lo up`"),
        EnrollError::NotOverLoopback { .. } => {
            Some("add 127.0.0.1/8 to `lo` in the pod, and remove what leads elsewhere; `ip rule` shows the rules")
        }
        EnrollError::RoutingTableTaken { .. } => Some("name another table with --istio-inbound-tproxy-route-table"),
        EnrollError::NoEarlierBuild => Some("run `interceptor upgrade` of the build that you want"),
        EnrollError::NotEnrolled { .. } => Some("`interceptor status` lists the pods that are"),
        EnrollError::NodeFull { .. } => Some("`interceptor status` lists them, `interceptor unenroll` ends one"),
        EnrollError::GenerationsUsedUp { .. } => Some("run `interceptor unenroll --all`, then enroll the pods again"),
        EnrollError::NoSuchDirectory { .. } => {
            Some("name a mounted BPF file system with --bpffs; the default is /sys/fs/bpf")
        }
        EnrollError::NotBpffs { .. } => {
            Some("mount one there with `mount -t bpf -o mode=0700 bpf DIRECTORY`, or name another with --bpffs")
        }
        EnrollError::Untrusted { .. } => {
            Some("look at it, remove it as root, and mount the BPF file system with -o mode=0700")
        }
        EnrollError::KernelLacks { .. } => Some("`interceptor check` tries everything that is needed"),
        EnrollError::NotPermitted(_) => Some(
            "run this as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON; for another network namespace (--netns) \
             also with CAP_SYS_ADMIN",
        ),
        EnrollError::LacksCapability { .. } => Some(
            "grant it to the first accelerated pod of the node, as later ones do not need it; --force-accelerate \
             leaves the test out",
        ),
        EnrollError::GuardUnfit(_) => Some("without --guard=on the pod is enrolled all the same, with a warning"),
        EnrollError::AccelerationUnfit(_) => {
            Some("without --accelerate redirection works; --force-accelerate overrides the check")
        }
        EnrollError::Busy { .. } => Some("try again, or wait longer with --lock-timeout"),
        EnrollError::Gone { what: "network namespace", .. } => {
            Some("write its path, such as /run/netns/NAME; `ip netns list` shows the names (--netns)")
        }
        EnrollError::UnnamedCgroup { .. } | EnrollError::Gone { .. } => Some("name the pod's cgroup with --cgroup"),
    }
}
