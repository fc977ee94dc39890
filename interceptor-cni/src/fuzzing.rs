// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Everything here that reads foreign input, for the fuzzers in the member `fuzz`. It has no part in the program, and
//! does no I/O.

use crate::{call, cgroup, config::Config, result, skip};

/// Standard input: the plugin's entry, with what the runtime and the plugins before this one put into it.
pub fn stdin(input: &[u8]) {
    let Ok(config) = Config::read(input) else { return };
    let pod = call::pod("K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_UID=1-2").unwrap_or_default();
    let uid = pod.as_ref().and_then(|pod| pod.uid.as_ref());
    skip::standing(&config, pod.as_ref());
    result::addresses(&config).unwrap_or_default();
    if let Ok(names) = cgroup::names::candidates(config.cgroup_path.as_deref(), uid, config.cgroup_root.as_deref()) {
        let leads_elsewhere =
            |name: &String| name.starts_with('/') || name.split('/').any(|part| matches!(part, "" | "." | ".."));
        assert!(!names.is_empty() && !names.iter().any(leads_elsewhere), "{names:?}");
    }
    let passed_on = result::passed_on(&config);
    // What is ignored need not be text; the result is.
    assert!(config.prev_result.is_none() || String::from_utf8_lossy(input).contains(&passed_on));
}

/// `CNI_ARGS`.
pub fn args(input: &[u8]) {
    if let Ok(args) = std::str::from_utf8(input) {
        call::pod(args).unwrap_or_default();
    }
}

/// `/proc/self/mountinfo`.
pub fn mountinfo(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        cgroup::tree::mounts(text);
    }
}
