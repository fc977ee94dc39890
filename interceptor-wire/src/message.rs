// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Requests and answers as bytes. It does no I/O.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Answer, DescriptorName, Request, answer::Raw};

/// The value of the key `v` of every message. Messages of another version are refused.
pub const VERSION: u32 = 1;

/// Bytes of a message. A longer one is neither sent nor read.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// Open files that may come with a message. A message with more is refused, and all of them are closed.
pub const MAX_DESCRIPTORS: usize = 2;

/// Why a message cannot be understood.
#[derive(Debug)]
pub enum Malformed {
    /// It is longer than [`MAX_MESSAGE`], or would be.
    TooLong,
    /// More descriptors than [`MAX_DESCRIPTORS`], or more than this process may open.
    TooManyDescriptors,
    /// The descriptors that came are not those that the message names.
    OtherDescriptors { named: Vec<DescriptorName>, came: usize },
    /// The other side is of another version.
    Version { theirs: u32 },
    /// It is no JSON, or not such a message.
    Json(serde_json::Error),
    /// An answer lacks a key that an answer of its kind has.
    MissingKey,
}

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(formatter, "the message is longer than {MAX_MESSAGE} bytes"),
            Self::TooManyDescriptors => write!(
                formatter,
                "the message comes with more than {MAX_DESCRIPTORS} descriptors, or with more than this \
                 process may open"
            ),
            Self::OtherDescriptors { named, came } => write!(
                formatter,
                "the message names the descriptors {named:?}, and {came} came with it; each may come once"
            ),
            Self::Version { theirs } => write!(
                formatter,
                "the message is of version {theirs} of the protocol, and this program speaks version {VERSION}; \
                 install plugin and agent of one release"
            ),
            Self::Json(error) => write!(formatter, "the message cannot be read: {error}"),
            Self::MissingKey => write!(
                formatter,
                "the answer lacks a key: `did` and `why`, or `code`, `msg` and `retry`"
            ),
        }
    }
}

impl std::error::Error for Malformed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Json(error) => Some(error),
            Self::TooLong
            | Self::TooManyDescriptors
            | Self::OtherDescriptors { .. }
            | Self::Version { .. }
            | Self::MissingKey => None,
        }
    }
}

/// The request in these bytes, and the names of the descriptors that should have come with it.
pub fn read_request(bytes: &[u8]) -> Result<(Request, Vec<DescriptorName>), Malformed> {
    let RequestEnvelope { v: _, descriptors, request } = read(bytes)?;
    Ok((request, descriptors))
}

/// The answer in these bytes.
pub fn read_answer(bytes: &[u8]) -> Result<Answer, Malformed> {
    let AnswerEnvelope { v: _, answer } = read(bytes)?;
    answer.into_answer().ok_or(Malformed::MissingKey)
}

pub(crate) fn write_request(
    request: &Request,
    descriptors: impl Iterator<Item = DescriptorName>,
) -> Result<Vec<u8>, Malformed> {
    write(&RequestEnvelope { v: VERSION, descriptors: descriptors.collect(), request })
}

pub(crate) fn write_answer(answer: &Answer) -> Result<Vec<u8>, Malformed> {
    write(&AnswerEnvelope { v: VERSION, answer: Raw::from(answer) })
}

#[derive(Serialize, Deserialize)]
struct RequestEnvelope<R> {
    v: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    descriptors: Vec<DescriptorName>,
    #[serde(flatten)]
    request: R,
}

#[derive(Serialize, Deserialize)]
struct AnswerEnvelope {
    v: u32,
    #[serde(flatten)]
    answer: Raw,
}

/// The version is read first: another one may have any other keys.
#[derive(Deserialize)]
struct VersionOnly {
    v: u32,
}

fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Malformed> {
    if bytes.len() > MAX_MESSAGE {
        return Err(Malformed::TooLong);
    }
    let VersionOnly { v } = serde_json::from_slice(bytes).map_err(Malformed::Json)?;
    if v != VERSION {
        return Err(Malformed::Version { theirs: v });
    }
    serde_json::from_slice(bytes).map_err(Malformed::Json)
}

fn write(message: &impl Serialize) -> Result<Vec<u8>, Malformed> {
    let bytes = serde_json::to_vec(message).map_err(Malformed::Json)?;
    if bytes.len() > MAX_MESSAGE { Err(Malformed::TooLong) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::{Attachment, AttachmentId, Did, Pod};

    fn attachment() -> Attachment {
        Attachment {
            container_id: "0a1b".parse().unwrap(),
            ifname: "eth0".parse().unwrap(),
            netns_path: Some("/run/netns/cni-1".into()),
            pod: Some(Pod {
                namespace: "default".parse().unwrap(),
                name: "web-0".parse().unwrap(),
                uid: Some("12345678-90ab-cdef-1234-567890abcdef".parse().unwrap()),
            }),
            cgroup_path: Some("/sys/fs/cgroup/kubepods/pod1".into()),
            ips: vec!["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()],
        }
    }

    #[test]
    fn every_request_is_read_as_it_was_written() {
        let id = AttachmentId { container_id: "0a1b".parse().unwrap(), ifname: "eth0".parse().unwrap() };
        let requests = [
            Request::Add(attachment()),
            Request::Del(Attachment { netns_path: None, pod: None, cgroup_path: None, ips: vec![], ..attachment() }),
            Request::Check(attachment()),
            Request::Status,
            Request::Gc { valid: vec![id] },
        ];
        for request in requests {
            let bytes = write_request(&request, [DescriptorName::Netns].into_iter()).unwrap();
            let (read, descriptors) = read_request(&bytes).unwrap();
            assert_eq!((read, descriptors), (request, vec![DescriptorName::Netns]));
        }
    }

    #[test]
    fn a_request_is_written_as_documented() {
        let bytes = write_request(
            &Request::Add(attachment()),
            [DescriptorName::Netns, DescriptorName::Cgroup].into_iter(),
        );
        let expected = concat!(
            r#"{"v":1,"descriptors":["netns","cgroup"],"verb":"add","container_id":"0a1b","ifname":"eth0","#,
            r#""netns_path":"/run/netns/cni-1","pod":{"namespace":"default","name":"web-0","#,
            r#""uid":"12345678-90ab-cdef-1234-567890abcdef"},"cgroup_path":"/sys/fs/cgroup/kubepods/pod1","#,
            r#""ips":["10.0.0.1","fd00::1"]}"#
        );
        assert_eq!(String::from_utf8(bytes.unwrap()).unwrap(), expected);
    }

    #[test]
    fn every_answer_is_read_as_it_was_written() {
        let answers = [
            Answer::Done { did: Did::Enrolled, why: "it is injected".into() },
            Answer::Refused { code: 11, msg: "Later".into(), retry: true },
        ];
        for answer in answers {
            assert_eq!(read_answer(&write_answer(&answer).unwrap()).unwrap(), answer);
        }
    }

    #[test]
    fn another_version_is_named_whatever_else_it_says() {
        for text in [r#"{"v":2}"#, r#"{"v":2,"verb":"dance","descriptors":7}"#] {
            let error = read_request(text.as_bytes()).unwrap_err();
            assert!(matches!(error, Malformed::Version { theirs: 2 }), "{error}");
        }
    }

    #[test]
    fn an_unknown_key_is_ignored() {
        let (request, _) = read_request(br#"{"v":1,"verb":"status","later":{"a":[1]}}"#).unwrap();
        assert_eq!(request, Request::Status);
    }

    #[rstest]
    #[case::empty("")]
    #[case::no_json("hello")]
    #[case::no_object("[1]")]
    #[case::no_version(r#"{"verb":"status"}"#)]
    #[case::version_of_text(r#"{"v":"1","verb":"status"}"#)]
    #[case::no_verb(r#"{"v":1}"#)]
    #[case::unknown_verb(r#"{"v":1,"verb":"dance"}"#)]
    #[case::no_container(r#"{"v":1,"verb":"add","ifname":"eth0"}"#)]
    #[case::path_as_container(r#"{"v":1,"verb":"add","container_id":"../a","ifname":"eth0"}"#)]
    #[case::unknown_descriptor(r#"{"v":1,"descriptors":["pidfd"],"verb":"status"}"#)]
    #[case::bad_address(r#"{"v":1,"verb":"add","container_id":"a","ifname":"eth0","ips":["10.0.0.1/24"]}"#)]
    #[case::two_messages(r#"{"v":1,"verb":"status"}{"v":1,"verb":"status"}"#)]
    fn what_is_no_request_is_refused(#[case] text: &str) {
        let error = read_request(text.as_bytes()).unwrap_err();
        assert!(matches!(error, Malformed::Json(_)), "{error}");
    }

    #[rstest]
    #[case(r#"{"v":1,"ok":true}"#)]
    #[case(r#"{"v":1,"ok":true,"code":11,"msg":"Later","retry":true}"#)]
    #[case(r#"{"v":1,"ok":false,"did":"skipped","why":""}"#)]
    fn an_answer_has_the_keys_of_its_kind(#[case] text: &str) {
        let error = read_answer(text.as_bytes()).unwrap_err();
        assert!(matches!(error, Malformed::MissingKey), "{error}");
    }

    #[test]
    fn what_is_too_long_is_neither_written_nor_read() {
        let msg = "x".repeat(MAX_MESSAGE);
        let error = write_answer(&Answer::Refused { code: 100, msg, retry: false }).unwrap_err();
        assert!(matches!(error, Malformed::TooLong), "{error}");
        let error = read_answer(&vec![b' '; MAX_MESSAGE + 1]).unwrap_err();
        assert!(matches!(error, Malformed::TooLong), "{error}");
    }
}
