// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The container `istio-init` after the rewrite. Its name, its place, its arguments and its resources stay.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::options::Rewrite;
use crate::{
    containers::{self, Init},
    malformed::{Malformed, Object},
    record::object_in,
};

/// To load programs, to attach them to a network namespace, and to read the kernel's memory in them.
pub(crate) const CAPABILITIES: [&str; 3] = ["BPF", "NET_ADMIN", "PERFMON"];
/// What Istio's container has for iptables.
const OF_ISTIO: [&str; 2] = ["NET_ADMIN", "NET_RAW"];

pub(super) fn changed(
    init: &Init<'_>,
    arguments: &[&str],
    image: &str,
    options: &Rewrite,
) -> Result<Object, Malformed> {
    let mut container = init.container.object()?.clone();
    container.insert("image".to_owned(), Value::String(image.to_owned()));
    // The image's entrypoint is the program. So a container in which somebody has put Istio's image back still starts.
    container.remove("command");
    container.insert("args".to_owned(), containers::list(arguments));
    let context = init.container.field("securityContext")?;
    let (is_privileged, capabilities, added) = match &context {
        None => (false, None, Vec::new()),
        Some(context) => {
            let privileged = context.field("privileged")?;
            let privileged = privileged.map(|at| at.switch()).transpose()?.unwrap_or(false);
            let capabilities = context.field("capabilities")?;
            let added = capabilities.as_ref().map_or_else(|| Ok(Vec::new()), |at| at.texts("add"))?;
            (privileged, capabilities, added)
        }
    };
    let others = added.iter().filter(|name| !OF_ISTIO.contains(&name.trim_start_matches("CAP_")));
    let add: BTreeSet<&str> = others.copied().chain(CAPABILITIES).collect();
    let mut new_capabilities = capabilities.map_or_else(|| Ok(Object::new()), |at| at.object().cloned())?;
    new_capabilities.insert("add".to_owned(), add.iter().copied().collect());
    new_capabilities.insert("drop".to_owned(), json!(["ALL"]));

    let mut set = json!({
        "capabilities": new_capabilities,
        "readOnlyRootFilesystem": true,
        "runAsGroup": 0,
        "runAsNonRoot": false,
        "runAsUser": 0,
    });
    // Kubernetes refuses a container that may not escalate, and may do everything.
    if !is_privileged && !add.contains("CAP_SYS_ADMIN") {
        set["allowPrivilegeEscalation"] = Value::Bool(false);
    }
    if let (Some(context), Value::Object(set)) = (object_in(&mut container, "securityContext"), set) {
        context.extend(set);
        if let Some(kind) = &options.selinux_type
            && let Some(labels) = object_in(context, "seLinuxOptions")
        {
            labels.insert("type".to_owned(), Value::String(kind.clone()));
        }
    }
    Ok(container)
}
