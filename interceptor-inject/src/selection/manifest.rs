// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Stage B for a pod of a manifest.

use super::{
    policy::{Policy, Subject},
    selector::Labels,
};
use crate::{
    malformed::Malformed,
    outcome::Reason,
    walk::{Place, Stop},
};

/// Stops at a pod that is not injected. What is to be said about the others comes back. The namespace is that of the
/// pod or, if it names none, that of the object or, if that names none either, the one that is given.
pub(crate) fn selected<E: From<Malformed>>(
    policy: &Policy,
    place: &Place<'_>,
    namespace: &str,
) -> Result<Vec<String>, Stop<E>> {
    let template = &place.template;
    let map = |name| -> Result<Labels, Malformed> {
        let Some(map) = template.descend(&["metadata", name])? else {
            return Ok(Labels::new());
        };
        let keys = map.object()?.keys();
        let pairs = keys.map(|key| {
            let value = map.field(key)?.map_or(Ok(""), |value| value.text())?;
            Ok((key.clone(), value.to_owned()))
        });
        pairs.collect()
    };
    let host_network = template.descend(&["spec", "hostNetwork"])?;
    let own = template.descend(&["metadata", "namespace"])?;
    let own = own.map(|at| at.text()).transpose()?.unwrap_or(&place.namespace);
    let (labels, annotations) = (map("labels")?, map("annotations")?);
    let choice = policy.decide(&Subject {
        host_network: host_network.map(|at| at.switch()).transpose()?.unwrap_or(false),
        namespace: if own.is_empty() { namespace } else { own },
        labels: &labels,
        annotations: &annotations,
    });
    if choice.is_injected {
        return Ok(choice.warning.into_iter().collect());
    }
    Err(Reason::NotSelected { rule: choice.rule, keys: policy.keys }.into())
}
