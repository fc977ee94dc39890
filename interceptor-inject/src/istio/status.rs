// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The annotation by which Istio knows what it injected.

use serde_json::{Value, json};

use super::pod::{self, CONTAINERS, INIT_CONTAINERS};
use crate::malformed::Object;

pub(super) const STATUS: &str = "sidecar.istio.io/status";
/// What a revision without a name is called.
const DEFAULT_REVISION: &str = "default";

/// The annotation over what the templates have.
pub(super) fn written(template_pod: &Object, revision: &str) -> String {
    let lists = [INIT_CONTAINERS, CONTAINERS, "volumes", "imagePullSecrets"];
    let names = lists.map(|list| {
        let names: Vec<&str> = pod::names(template_pod, list).collect();
        let names = if names.is_empty() { Value::Null } else { json!(names) };
        format!("{}:{names}", json!(list))
    });
    let revision = if revision.is_empty() { DEFAULT_REVISION } else { revision };
    format!("{{{},\"revision\":{}}}", names.join(","), json!(revision))
}

/// The containers that an earlier injection added: the list, and the name. Istio takes an annotation that it cannot
/// read for none.
pub(super) fn injected(pod: &Object) -> Vec<(&'static str, String)> {
    let status = pod::annotation(pod, STATUS).and_then(|status| serde_json::from_str::<Value>(status).ok());
    let mut injected = Vec::new();
    for list in [CONTAINERS, INIT_CONTAINERS] {
        let names = status.as_ref().and_then(|status| status.get(list)).and_then(Value::as_array);
        let names = names.into_iter().flatten().filter_map(Value::as_str);
        injected.extend(names.map(|name| (list, name.to_owned())));
    }
    injected
}
