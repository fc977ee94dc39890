// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the agent answers.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Done {
        did: Did,
        /// For the log: a sentence without a full stop.
        why: String,
    },
    /// The verb fails.
    Refused {
        /// The code of the plugin's CNI error: 11 for what may be gone soon, 50 for STATUS, 100 and above for what is
        /// ours ([CNI](https://github.com/containernetworking/cni/blob/v1.3.0/SPEC.md#error)).
        code: u32,
        /// For the pod's event: one sentence that says what to do.
        msg: String,
        /// Whether the same request may succeed later.
        retry: bool,
    },
}

/// What the agent did. Only the first two are answers to [`Request::Add`](crate::Request::Add).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Did {
    /// The pod's interception is in force.
    Enrolled,
    /// The pod needs none.
    Skipped,
    /// To DEL: no enrollment of this attachment is left, or there was none.
    Unenrolled,
    /// To CHECK: all is as it should be.
    Checked,
    /// To STATUS: pods can be enrolled.
    Ready,
    /// To GC.
    Collected,
}

/// An [`Answer`] as it travels: which keys there are depends on `ok`.
#[derive(Serialize, Deserialize)]
pub(crate) struct Raw {
    ok: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    did: Option<Did>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    msg: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry: Option<bool>,
}

impl From<&Answer> for Raw {
    fn from(answer: &Answer) -> Self {
        let none = Self { ok: false, did: None, why: None, code: None, msg: None, retry: None };
        match answer.clone() {
            Answer::Done { did, why } => Self { ok: true, did: Some(did), why: Some(why), ..none },
            Answer::Refused { code, msg, retry } => {
                Self { code: Some(code), msg: Some(msg), retry: Some(retry), ..none }
            }
        }
    }
}

impl Raw {
    /// `None` if a key is missing.
    pub(crate) fn into_answer(self) -> Option<Answer> {
        Some(if self.ok {
            Answer::Done { did: self.did?, why: self.why? }
        } else {
            Answer::Refused { code: self.code?, msg: self.msg?, retry: self.retry? }
        })
    }
}
