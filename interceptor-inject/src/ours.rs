// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What Interceptor adds to a pod: a variable, two mounts and two volumes. It is found again by its content, so a pod
//! that has it already does not get it twice.
//!
//! The mounts are not below `/sys`: the default AppArmor profile of containerd denies writes to `/sys/fs/` by the path
//! in the container
//! ([`template.go`](https://github.com/containerd/containerd/blob/main/contrib/apparmor/template.go)).

use interceptor_config::BPFFS_VARIABLE;
use serde_json::{Value, json};

use crate::malformed::{At, Malformed, Object};

pub(crate) const BPFFS: &str = "/host/bpf";
pub(crate) const CGROUP: &str = "/host/cgroup";
pub(crate) const BPFFS_VOLUME: &str = "interceptor-bpffs";
pub(crate) const CGROUP_VOLUME: &str = "interceptor-cgroup";

/// An item of a list of a container or of a pod's spec.
pub(crate) struct Part {
    list: &'static str,
    item: Value,
}

/// Everything that is added to the container.
pub(crate) fn of_container() -> Vec<Part> {
    vec![
        Part { list: "env", item: json!({ "name": BPFFS_VARIABLE, "value": BPFFS }) },
        Part { list: "volumeMounts", item: json!({ "name": BPFFS_VOLUME, "mountPath": BPFFS }) },
        Part {
            list: "volumeMounts",
            item: json!({ "name": CGROUP_VOLUME, "mountPath": CGROUP, "readOnly": true }),
        },
    ]
}

/// Everything that is added to the spec of the pod.
pub(crate) fn of_pod() -> Vec<Part> {
    // `Directory`: a node without the directory fails with an event that says so.
    let volume = |name, path| json!({ "name": name, "hostPath": { "path": path, "type": "Directory" } });
    vec![
        Part { list: "volumes", item: volume(BPFFS_VOLUME, "/sys/fs/bpf") },
        Part { list: "volumes", item: volume(CGROUP_VOLUME, "/sys/fs/cgroup") },
    ]
}

/// What each of the parts is to the object that is to get it.
pub(crate) enum Presence {
    Absent,
    Present,
    /// The object has something else by that name or at that path.
    Taken(String),
}

impl Part {
    /// Whether `owner`, a container or the spec of a pod, has this part.
    pub(crate) fn presence(&self, owner: &At<'_>) -> Result<Presence, Malformed> {
        for item in owner.list(self.list)? {
            let found = item.object()?;
            if self.is(found) {
                return Ok(Presence::Present);
            }
            for key in ["name", "mountPath"] {
                let (own, other) = (self.item.get(key), found.get(key));
                if own.is_some() && same(own, other) {
                    return Ok(Presence::Taken(format!("{}: {key} {}", item.path, shown(own))));
                }
            }
        }
        Ok(Presence::Absent)
    }

    /// Whether an item says what this part says. Kubernetes leaves out what is false.
    pub(crate) fn is(&self, item: &Object) -> bool {
        let Some(own) = self.item.as_object() else { return false };
        let is_said = |value: &Value| *value != Value::Bool(false) && !value.is_null();
        let all = own.keys().chain(item.keys());
        let mut all = all.filter(|key| own.contains_key(*key) || item.get(*key).is_some_and(is_said));
        all.all(|key| same(own.get(key), item.get(key)))
    }

    /// Adds the part to the object's list, and the list if there is none.
    pub(crate) fn add(self, owner: &mut Object) {
        let list = owner.entry(self.list).or_insert(Value::Null);
        if list.is_null() {
            *list = Value::Array(Vec::new());
        }
        if let Value::Array(items) = list {
            items.push(self.item);
        }
    }

    /// Takes the part out of the object's list, and the list if it is empty then.
    pub(crate) fn remove(&self, owner: &mut Object) {
        let Some(Value::Array(items)) = owner.get_mut(self.list) else { return };
        let before = items.len();
        items.retain(|item| !item.as_object().is_some_and(|item| self.is(item)));
        if items.is_empty() && before > 0 {
            owner.remove(self.list);
        }
    }
}

/// Equality of fields. A slash at the end of a path means nothing.
fn same(one: Option<&Value>, other: Option<&Value>) -> bool {
    match (one, other) {
        (Some(Value::String(one)), Some(Value::String(other))) => {
            one.trim_end_matches('/') == other.trim_end_matches('/')
        }
        (one, other) => one == other,
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map(Value::to_string).unwrap_or_default()
}
