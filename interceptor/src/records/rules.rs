// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One note of a pod whose connections are redirected by rules of iptables. The values only; where they are kept is in
//! `records`.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{entry::Entry, record::Version};
use crate::Netns;

/// Where rules were written, so that `status` can look there. The rules themselves say whose they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesRecord {
    pub version: Version,
    pub netns_cookie: u64,
    pub netns_inode: u64,
    /// What messages called the network namespace, for people.
    pub netns: String,
    /// The programs that wrote the rules.
    pub programs: Vec<String>,
    /// When that was, in seconds since 1970.
    pub since: u64,
}

impl RulesRecord {
    /// Of rules that these programs have just written.
    pub fn new(netns: &Netns, programs: Vec<String>) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            version: Version::V1,
            netns_cookie: netns.cookie(),
            netns_inode: netns.inode(),
            netns: netns.name().to_owned(),
            programs,
            since: since.as_secs(),
        }
    }
}

impl Entry for RulesRecord {
    const DIRECTORY: &'static str = "rules";

    fn key(&self) -> String {
        self.netns_cookie.to_string()
    }
}
