// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One record: which pod has which network namespace. The values only; where they are kept is in `records`.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::entry::Entry;

/// What the agent knows of a pod that it enrolled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// [`Record::VERSION`].
    pub version: Version,
    /// The id of the sandbox, `CNI_CONTAINERID`. A pod whose sandbox died gets another one.
    pub sandbox: String,
    /// `CNI_IFNAME`
    pub interface: String,
    pub pod: PodName,
    /// The pod's UID, if the runtime told it.
    pub uid: Option<String>,
    pub netns_cookie: u64,
    pub netns_inode: u64,
    /// The path of the network namespace as the runtime named it, for people.
    pub netns_path: Option<String>,
    pub cgroup_id: u64,
    /// The path of the cgroup as the plugin saw it, for people.
    pub cgroup_path: Option<String>,
    /// What the pod is enrolled with, as `interceptor enroll` prints it.
    pub settings: BTreeMap<String, String>,
    /// The fingerprint of the policy that the agent put in force last. If another one is in force, somebody else has
    /// switched the pod. `None` until the pod is enrolled.
    #[serde(default)]
    pub fingerprint: Option<u64>,
    /// What [`crate::Node::home`] said then. If it says something else, the enrollment went with the BPF file system.
    #[serde(default)]
    pub home: Option<u64>,
    /// When the pod was enrolled, in seconds since 1970.
    pub since: u64,
}

impl Entry for Record {
    const DIRECTORY: &'static str = "pods";

    fn key(&self) -> String {
        self.sandbox.clone()
    }
}

impl Record {
    /// What this build writes and reads.
    pub const VERSION: Version = Version::V1;

    /// Whether it tells of the network namespace with this cookie and inode number.
    pub const fn is_of(&self, netns_cookie: u64, netns_inode: u64) -> bool {
        self.netns_cookie == netns_cookie && self.netns_inode == netns_inode
    }
}

/// The version of a record's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    #[serde(rename = "1")]
    V1,
}

/// The name of a pod with its namespace, `NAMESPACE/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PodName {
    pub namespace: String,
    pub name: String,
}

impl FromStr for PodName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (namespace, name) = text.split_once('/').filter(|both| is_name(both.0) && is_name(both.1)).ok_or(
            "write NAMESPACE/NAME, such as default/web-0: lower-case letters, digits, `-` and `.`, of each at most 253",
        )?;
        Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
    }
}

impl TryFrom<String> for PodName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PodName> for String {
    fn from(name: PodName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for PodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, name } = self;
        write!(f, "{namespace}/{name}")
    }
}

/// A subdomain, as
/// [Kubernetes names](https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names)
/// pods.
fn is_name(text: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = text.as_bytes();
    bytes.len() <= 253
        && is_end(bytes.first())
        && is_end(bytes.last())
        && bytes.iter().all(|byte| is_end(Some(byte)) || matches!(byte, b'-' | b'.'))
}

/// Whether a text can be the id of a sandbox
/// ([CNI](https://github.com/containernetworking/cni/blob/v1.3.0/SPEC.md#parameters)), and the name of a file with a
/// suffix.
pub fn is_sandbox_id(text: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    text.len() <= 250 && text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric) && text.bytes().all(is_good)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("default/web-0", true)]
    #[case("a.b/c", true)]
    #[case("web-0", false)]
    #[case("a/b/c", false)]
    #[case("/web", false)]
    #[case("default/Web", false)]
    #[case("default/-web", false)]
    #[case("../..", false)]
    fn a_pods_name_has_a_namespace(#[case] text: &str, #[case] good: bool) {
        assert_eq!(
            text.parse::<PodName>().map(|name| name.to_string()).ok(),
            good.then(|| text.to_owned())
        );
    }
}
