// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One pod: decides, and puts the pieces together.

use serde_json::Value;

use super::{
    arguments,
    containers::{self, CONFIG, ENVOY, INIT},
    fault::PlainFault,
    options::Plain,
};
use crate::{
    malformed::{At, Malformed, Object},
    ours::{self, Presence},
    outcome::Reason,
    rewrite::{self, Rewrite},
    selection::{self, Keys, Policy},
    walk::{Changed, Place, Stop},
};

const STATUS: &str = "sidecar.istio.io/status";
const ISTIO_CONTAINERS: [&str; 3] = ["istio-proxy", "istio-init", "istio-validation"];

pub(super) fn inject(plain: &Plain, place: &Place<'_>, namespace: &str) -> Result<Changed, Stop<PlainFault>> {
    let template = &place.template;
    let mut warnings = selection::selected(&Policy::of_command(Keys::PLAIN), place, namespace)?;
    let spec = template.required("spec")?;
    fit(plain, template, &spec).map_err(Stop::Refused)?;
    let (arguments, notes) = arguments::of(template).map_err(Stop::Refused)?;
    warnings.extend(notes);

    let mut new_spec = spec.object()?.clone();
    let mut inits = others(&new_spec, "initContainers");
    let mut containers = others(&new_spec, "containers");
    let init = Value::Object(containers::init(plain, &arguments));
    let envoy = Value::Object(containers::envoy(plain));
    if plain.native_sidecars {
        // What comes after a native sidecar goes through it.
        inits.splice(0..0, [init, envoy]);
    } else {
        // What has no sidecar yet comes before the redirection.
        inits.push(init);
        containers.push(envoy);
    }
    new_spec.insert("initContainers".to_owned(), Value::Array(inits));
    new_spec.insert("containers".to_owned(), Value::Array(containers));
    let volumes = spec.list("volumes")?;
    let mut new_volumes = new_spec.get("volumes").and_then(Value::as_array).cloned().unwrap_or_default();
    let place = volumes
        .iter()
        .position(|volume| is_named(volume, CONFIG))
        .unwrap_or(new_volumes.len());
    new_volumes.splice(place..volumes.len().min(place + 1), [containers::config_volume(plain)]);
    new_spec.insert("volumes".to_owned(), Value::Array(new_volumes));
    for part in ours::of_pod() {
        match part.presence(&spec)? {
            Presence::Present => {}
            Presence::Absent => part.add(&mut new_spec),
            Presence::Taken(what) => return Err(Stop::Refused(PlainFault::Unfit(Reason::Taken { what }))),
        }
    }
    let mut new = template.object()?.clone();
    new.insert("spec".to_owned(), Value::Object(new_spec));
    Ok(Changed { template: new, warnings })
}

/// Refuses a pod in which a plain Envoy would be one too many, or would not get the connections.
fn fit(plain: &Plain, template: &At<'_>, spec: &At<'_>) -> Result<(), PlainFault> {
    if template.descend(&["metadata", "annotations", STATUS])?.is_some() {
        return Err(PlainFault::Istios { sign: "annotation sidecar.istio.io/status" });
    }
    let mut is_ours = false;
    for volume in spec.list("volumes")? {
        is_ours |= volume.required("name")?.text()? == CONFIG && volume.field("configMap")?.is_some();
    }
    for list in ["initContainers", "containers"] {
        for container in spec.list(list)? {
            let name = container.required("name")?.text()?;
            if let Some(sign) = ISTIO_CONTAINERS.into_iter().find(|known| *known == name) {
                return Err(PlainFault::Istios { sign });
            }
            // What has the name of a container of ours is replaced only if it is one.
            if [INIT, ENVOY].contains(&name) && !(is_ours && has_image(&container)?) {
                return Err(PlainFault::Unfit(Reason::Taken { what: container.path }));
            }
        }
    }
    let options = Rewrite { any_runtime: plain.any_runtime, ..Rewrite::default() };
    match rewrite::fit(spec, &options) {
        Ok(()) => Ok(()),
        Err(Stop::LeftAlone(reason)) => Err(PlainFault::Unfit(reason)),
        Err(Stop::Refused(malformed)) => Err(malformed.into()),
    }
}

fn is_named(item: &At<'_>, name: &str) -> bool {
    item.object()
        .is_ok_and(|item| item.get("name").is_some_and(|known| known == name))
}

fn has_image(container: &At<'_>) -> Result<bool, Malformed> {
    let image = container.field("image")?;
    Ok(image
        .map(|image| image.text())
        .transpose()?
        .is_some_and(|image| !image.is_empty()))
}

/// The items of a list without those that an earlier injection added.
fn others(spec: &Object, list: &str) -> Vec<Value> {
    let items = spec.get(list).and_then(Value::as_array).into_iter().flatten();
    let is_ours = |item: &Value| {
        [INIT, ENVOY]
            .iter()
            .any(|name| item.get("name").is_some_and(|known| known == name))
    };
    items.filter(|item| !is_ours(item)).cloned().collect()
}
