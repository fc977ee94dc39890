// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a verb fails with, and how CNI wants to read it.

use serde::Serialize;

/// The codes of CNI
/// ([table](https://github.com/containernetworking/cni/blob/v1.3.0/SPEC.md#error)), and from 100 on the plugin's own.
pub(crate) mod code {
    pub(crate) const INCOMPATIBLE_VERSION: u32 = 1;
    pub(crate) const BAD_ENVIRONMENT: u32 = 4;
    pub(crate) const IO: u32 = 5;
    pub(crate) const NOT_DECODED: u32 = 6;
    pub(crate) const BAD_CONFIG: u32 = 7;
    pub(crate) const BAD_NETNS: u32 = 8;
    pub(crate) const TRY_AGAIN_LATER: u32 = 11;
    pub(crate) const NOT_AVAILABLE: u32 = 50;
    /// The agent answered something that is no answer to the question.
    pub(crate) const AGENT: u32 = 100;
    /// The pod's cgroup cannot be determined. (The agent uses 101.)
    pub(crate) const CGROUP: u32 = 102;
    pub(crate) const INTERNAL: u32 = 999;
}

/// Why a verb fails.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CniError {
    pub(crate) code: u32,
    /// One sentence for the pod's event. It says what to do.
    pub(crate) msg: String,
    /// What was tried, or what the system said.
    pub(crate) details: String,
}

impl CniError {
    pub(crate) fn new(code: u32, msg: impl Into<String>) -> Self {
        Self { code, msg: msg.into(), details: String::new() }
    }

    pub(crate) fn details(self, details: impl Into<String>) -> Self {
        Self { details: details.into(), ..self }
    }

    /// As it is printed on standard output.
    pub(crate) fn to_json(&self, cni_version: &str) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Printed<'a> {
            cni_version: &'a str,
            code: u32,
            msg: &'a str,
            #[serde(skip_serializing_if = "str::is_empty")]
            details: &'a str,
        }
        let Self { code, msg, details } = self;
        serde_json::to_string(&Printed { cni_version, code: *code, msg, details }).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_printed_with_the_keys_of_cni() {
        let error = CniError::new(code::TRY_AGAIN_LATER, "Later").details("no \"socket\"");
        assert_eq!(
            error.to_json("0.4.0"),
            r#"{"cniVersion":"0.4.0","code":11,"msg":"Later","details":"no \"socket\""}"#
        );
        assert_eq!(
            CniError::new(code::INTERNAL, "x").to_json("1.0.0"),
            r#"{"cniVersion":"1.0.0","code":999,"msg":"x"}"#
        );
    }
}
