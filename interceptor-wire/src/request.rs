// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is asked of the agent. The types only; how they travel is in `message`, `client` and `server`.

use std::{
    net::IpAddr,
    os::fd::{BorrowedFd, OwnedFd},
};

use serde::{Deserialize, Serialize};

use crate::{ContainerId, InterfaceName, KubernetesName, PodUid};

/// The verbs of CNI
/// ([section 2](https://github.com/containernetworking/cni/blob/v1.3.0/SPEC.md#section-2-execution-protocol)).
/// `VERSION` is none of them: the plugin answers it alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "lowercase")]
pub enum Request {
    /// Enroll the pod, or say why it needs none. Comes with its network namespace, and with its cgroup if that was
    /// found.
    Add(Attachment),
    /// End the pod's enrollment. Comes with its network namespace, if that is still there.
    Del(Attachment),
    /// Is the pod enrolled, if it should be, and complete? Comes with its network namespace.
    Check(Attachment),
    /// Can pods be enrolled now?
    Status,
    /// Collect what belongs to none of these.
    Gc { valid: Vec<AttachmentId> },
}

/// One interface of one sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    pub container_id: ContainerId,
    pub ifname: InterfaceName,
    /// `CNI_NETNS`: a path in the plugin's mount namespace, for messages. The namespace is the descriptor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns_path: Option<String>,
    /// `None` where the runtime does not name it: it need not, except for ADD of a pod of Kubernetes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<Pod>,
    /// Where the plugin found the pod's cgroup, in the plugin's mount namespace, for messages. The cgroup is the
    /// descriptor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup_path: Option<String>,
    /// The addresses that the plugins before this one gave to the pod.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ips: Vec<IpAddr>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pod {
    pub namespace: KubernetesName,
    pub name: KubernetesName,
    /// Some older runtimes do not tell it. A static pod's is a hash, and the API server has another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<PodUid>,
}

/// What tells attachments apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttachmentId {
    pub container_id: ContainerId,
    pub ifname: InterfaceName,
}

/// The open files that travel with a request. `Fd` is [`BorrowedFd`] where they are sent, and [`OwnedFd`] where they
/// are received. What they really are is for the receiver to check.
#[derive(Debug)]
pub struct Descriptors<Fd> {
    /// A network namespace, as `/proc/PID/ns/net`.
    pub netns: Option<Fd>,
    /// A directory of a cgroup2 file system, open for reading.
    pub cgroup: Option<Fd>,
}

impl<Fd> Descriptors<Fd> {
    pub const NONE: Self = Self { netns: None, cgroup: None };
}

/// How a message calls a descriptor that comes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DescriptorName {
    Netns,
    Cgroup,
}

impl<'fd> Descriptors<BorrowedFd<'fd>> {
    /// In the order in which they are sent.
    pub(crate) fn listed(&self) -> impl Iterator<Item = (DescriptorName, BorrowedFd<'fd>)> {
        let Self { netns, cgroup } = self;
        let named = [(DescriptorName::Netns, *netns), (DescriptorName::Cgroup, *cgroup)];
        named.into_iter().filter_map(|(name, fd)| Some((name, fd?)))
    }
}

impl Descriptors<OwnedFd> {
    /// `None` if a name comes twice.
    pub(crate) fn of(named: impl IntoIterator<Item = (DescriptorName, OwnedFd)>) -> Option<Self> {
        let mut all = Self::NONE;
        for (name, fd) in named {
            let place = match name {
                DescriptorName::Netns => &mut all.netns,
                DescriptorName::Cgroup => &mut all.cgroup,
            };
            if place.replace(fd).is_some() {
                return None;
            }
        }
        Some(all)
    }
}
