// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Names that a runtime gives to containers, interfaces and pods. Each is checked when it is made, so it is safe as
//! the name of a file and in a line of a log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A text that is no such name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadName {
    pub text: String,
    /// What it should have been.
    pub wanted: &'static str,
}

impl fmt::Display for BadName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} is not {}", self.text, self.wanted)
    }
}

impl std::error::Error for BadName {}

/// Declares a text that passed a test.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $is_good:ident, $wanted:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;

            fn try_from(text: String) -> Result<Self, BadName> {
                if $is_good(&text) { Ok(Self(text)) } else { Err(BadName { text, wanted: $wanted }) }
            }
        }

        impl std::str::FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A container or sandbox, `CNI_CONTAINERID`
    /// ([CNI](https://github.com/containernetworking/cni/blob/v1.3.0/SPEC.md#parameters)): a letter or a digit, then
    /// letters, digits, `.`, `_` and `-`. At most 250 bytes, so that a file may have this name and a suffix.
    ContainerId,
    is_container_id,
    "a container's id: a letter or digit, then letters, digits, `.`, `_` and `-`, at most 250"
);

name!(
    /// An interface, `CNI_IFNAME`: 1 to 15 bytes, no blank, `/`, `:` or control character, and neither `.` nor `..`
    /// ([kernel](https://github.com/torvalds/linux/blob/v6.12/net/core/dev.c#L1073)).
    InterfaceName,
    is_interface,
    "an interface's name: 1 to 15 printable ASCII characters without blank, `/` and `:`"
);

name!(
    /// A pod or a namespace: letters, digits, `-`, `_` and `.`, a letter or digit at both ends, at most 253 bytes.
    /// Kubernetes allows less
    /// ([names](https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names)), but
    /// not everybody who makes pods with a runtime is Kubernetes.
    KubernetesName,
    is_kubernetes_name,
    "a pod's name or namespace: letters, digits, `-`, `_` and `.`, a letter or digit at both ends, at most 253"
);

name!(
    /// A pod's UID, or the hash that stands for it in a static pod: letters, digits, `-` and `_`, a letter or digit at
    /// both ends, at most 128 bytes.
    PodUid,
    is_pod_uid,
    "a pod's UID: letters, digits, `-` and `_`, a letter or digit at both ends, at most 128"
);

fn is_container_id(text: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    text.len() <= 250 && text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric) && text.bytes().all(is_good)
}

fn is_interface(text: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b':');
    (1..=15).contains(&text.len()) && !matches!(text, "." | "..") && text.bytes().all(is_good)
}

fn is_kubernetes_name(text: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    text.len() <= 253 && has_good_ends(text) && text.bytes().all(is_good)
}

fn is_pod_uid(text: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text.len() <= 128 && has_good_ends(text) && text.bytes().all(is_good)
}

fn has_good_ends(text: &str) -> bool {
    let ends = [text.as_bytes().first(), text.as_bytes().last()];
    ends.into_iter().all(|end| end.is_some_and(u8::is_ascii_alphanumeric))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("0123456789abcdef", true)]
    #[case("test_box.1-a", true)]
    #[case("", false)]
    #[case(".", false)]
    #[case("..", false)]
    #[case("-a", false)]
    #[case("a/b", false)]
    #[case("a\n", false)]
    fn a_container_id_is_as_cni_says(#[case] text: &str, #[case] good: bool) {
        assert_eq!(text.parse::<ContainerId>().is_ok(), good, "{text:?}");
    }

    #[rstest]
    #[case("eth0", true)]
    #[case("net1.100@if3", true)]
    #[case("fifteenletters_", true)]
    #[case("sixteen_letters_", false)]
    #[case("", false)]
    #[case("..", false)]
    #[case("a b", false)]
    #[case("a/b", false)]
    #[case("a:b", false)]
    #[case("a\0", false)]
    fn an_interface_has_a_name_that_the_kernel_takes(#[case] text: &str, #[case] good: bool) {
        assert_eq!(text.parse::<InterfaceName>().is_ok(), good, "{text:?}");
    }

    #[rstest]
    #[case("web-0.example", true)]
    #[case("0", true)]
    #[case("Made_by_crictl", true)]
    #[case("a b", false)]
    #[case("..", false)]
    #[case("a/../b", false)]
    #[case("", false)]
    fn a_name_of_a_pod_leads_out_of_no_directory(#[case] text: &str, #[case] good: bool) {
        assert_eq!(text.parse::<KubernetesName>().is_ok(), good, "{text:?}");
    }

    #[rstest]
    #[case("12345678-90ab-cdef-1234-567890abcdef", true)]
    #[case("0123456789abcdef0123456789abcdef", true)]
    #[case("..", false)]
    #[case("../..", false)]
    #[case("-1", false)]
    #[case("", false)]
    fn a_uid_cannot_lead_out_of_a_directory(#[case] text: &str, #[case] good: bool) {
        assert_eq!(text.parse::<PodUid>().is_ok(), good, "{text:?}");
    }

    #[test]
    fn a_bad_name_says_what_it_should_have_been() {
        let error = "a/b".parse::<ContainerId>().unwrap_err().to_string();
        assert!(error.starts_with("\"a/b\" is not a container's id: "), "{error}");
    }

    #[test]
    fn lengths_are_bounded() {
        assert!("a".repeat(250).parse::<ContainerId>().is_ok());
        assert!("a".repeat(251).parse::<ContainerId>().is_err());
        assert!("a".repeat(254).parse::<KubernetesName>().is_err());
        assert!("a".repeat(129).parse::<PodUid>().is_err());
    }
}
