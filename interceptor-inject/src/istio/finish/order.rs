// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The order of the containers.

use crate::{
    containers::{INIT, VALIDATION},
    istio::pod::{self, CONTAINERS, INIT_CONTAINERS, SIDECAR},
    malformed::Object,
};

const CORE_DUMP: &str = "enable-core-dump";

/// Puts Istio's containers where Istio puts them. `holds` says that the application waits for the sidecar.
pub(super) fn sort(pod: &mut Object, holds: bool) {
    place(pod, CONTAINERS, SIDECAR, holds);
    if pod::container(pod, INIT_CONTAINERS, SIDECAR).is_some() {
        // What comes after a native sidecar goes through it.
        for name in [CORE_DUMP, SIDECAR, VALIDATION, INIT] {
            place(pod, INIT_CONTAINERS, name, true);
        }
    } else {
        // What has no sidecar yet comes before the redirection, and after the check that the plugin did its work.
        place(pod, INIT_CONTAINERS, VALIDATION, true);
        place(pod, INIT_CONTAINERS, INIT, false);
        place(pod, INIT_CONTAINERS, CORE_DUMP, false);
    }
}

fn place(pod: &mut Object, list: &str, name: &str, is_first: bool) {
    let Some(container) = pod::take(pod, list, name) else { return };
    if let Some(containers) = pod::list_mut(pod, list) {
        let index = if is_first { 0 } else { containers.len() };
        containers.insert(index, container);
    }
}
