// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the CNI plugin, the node agent and the command line say to each other: one [`Request`] and one [`Answer`] per
//! connection. It decides nothing, keeps nothing, and knows neither Kubernetes nor the kernel programs.
//!
//! A message is one packet of a `SOCK_SEQPACKET` Unix socket ([unix(7)]): a JSON object of at most [`MAX_MESSAGE`]
//! bytes. Its key `v` is [`VERSION`]. Open files travel beside a request (`SCM_RIGHTS`), and its key `descriptors`
//! names them in their order. So no path has to mean the same to both processes, or at both moments.
//!
//! ```text
//! {"v":1,"descriptors":["netns","cgroup"],"verb":"add","container_id":"0a1b","ifname":"eth0", …}
//! {"v":1,"ok":true,"did":"enrolled","why":"the pod has the annotation sidecar.istio.io/status"}
//! {"v":1,"ok":false,"code":11,"msg":"The API server does not answer","retry":true}
//! ```
//!
//! Keys that the reader does not know are ignored, so that one may be added without a new version. Everything else
//! that is not as described is an error.
//!
//! [unix(7)]: https://man7.org/linux/man-pages/man7/unix.7.html

mod answer;
mod client;
mod listener;
mod message;
mod names;
mod request;
mod server;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Did};
pub use client::{AskError, CONNECT_RETRY, Connection};
pub use listener::Listener;
pub use message::{MAX_DESCRIPTORS, MAX_MESSAGE, Malformed, VERSION, read_answer, read_request};
pub use names::{BadName, ContainerId, InterfaceName, KubernetesName, PodUid};
pub use request::{Attachment, AttachmentId, DescriptorName, Descriptors, Pod, Request};
pub use server::{Received, heard_from, peer_uid, receive, send_answer, set_nonblocking};

/// The file name of the agent's socket in its run directory.
pub const SOCKET_NAME: &str = "cni.sock";
