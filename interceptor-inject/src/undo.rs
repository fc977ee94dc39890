// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The way back: the container is Istio's again, and what was added to the pod is gone.

use serde_json::{Value, json};

use crate::{
    containers::{self, Init, VALIDATION},
    kinds::Kind,
    malformed::{At, Malformed, Object},
    ours::{self, Part, Presence},
    outcome::{Outcome, Reason},
    record::{Record, object_in},
    rewrite::is_ours,
    walk::{Changed, Stop, walk},
};

/// How to go back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undo {
    /// The image of the container. Without it, the image that the rewrite replaced.
    pub init_image: Option<String>,
    /// Kinds that make pods, besides those of Kubernetes.
    pub kinds: Vec<Kind>,
}

impl Undo {
    /// Goes back in all pods of a manifest.
    ///
    /// # Errors
    /// If the manifest is none that Kubernetes takes, as far as it was looked at, or if the original image of a
    /// container is not known.
    pub fn apply(&self, manifest: &Value) -> Result<Outcome, Malformed> {
        walk(manifest, &self.kinds, &|place| self.pod(&place.template))
    }

    fn pod(&self, template: &At<'_>) -> Result<Changed, Stop> {
        let spec = template.required("spec")?;
        let record = Record::read(template)?;
        let moved = record.as_ref().and_then(|record| record.moved.clone());
        let init = match (&record, &moved) {
            (Some(record), Some(_moved)) => validation(&spec, record)?,
            _ => containers::find(&spec)?,
        };
        let is_in_container = is_any_present(&ours::of_container(), &init.container)?;
        let is_in_pod = is_any_present(&ours::of_pod(), &spec)?;
        if record.is_none() && !is_in_container && !is_in_pod {
            return Err(Reason::NotOurs.into());
        }

        let mut container = self.container(&init, record)?;
        for part in ours::of_container() {
            part.remove(&mut container);
        }
        let mut new_spec = spec.object()?.clone();
        for part in ours::of_pod() {
            part.remove(&mut new_spec);
        }
        if let Some(slot) = new_spec.get_mut("initContainers").and_then(|list| list.get_mut(init.index)) {
            *slot = Value::Object(container);
        }
        let mut new = template.object()?.clone();
        new.insert("spec".to_owned(), Value::Object(new_spec));
        Record::erase(&mut new);
        if let Some(moved) = moved {
            moved.restore(&mut new, init.index);
        }
        Ok(Changed { template: new, warnings: Vec::new() })
    }

    /// The container with Istio's image and rights.
    fn container(&self, init: &Init<'_>, record: Option<Record>) -> Result<Object, Malformed> {
        let mut container = init.container.object()?.clone();
        let present = init.image()?;
        match record {
            Some(record) if record.image == present => record.restore(&mut container),
            _ if !is_ours(present) => {}
            _ if self.init_image.is_some() => restore_rights(&mut container),
            _ => {
                let image = init.container.required("image")?;
                return Err(image.malformed("Istio's image, which this pod does not tell (name it with --init-image)"));
            }
        }
        if let Some(image) = &self.init_image {
            container.insert("image".to_owned(), Value::String(image.clone()));
        }
        Ok(container)
    }
}

/// The container that the rewrite made for the CNI plugin. One that somebody else has changed since is not ours.
fn validation<'a>(spec: &At<'a>, record: &Record) -> Result<Init<'a>, Stop> {
    match containers::named(spec, VALIDATION)? {
        Some(init) if init.image()? == record.image => Ok(init),
        _ => Err(Reason::NotOurs.into()),
    }
}

/// Gives a container of which no record is left what iptables needs, as Istio's template does.
fn restore_rights(container: &mut Object) {
    if let Some(context) = object_in(container, "securityContext") {
        context.insert("readOnlyRootFilesystem".to_owned(), Value::Bool(false));
        context.insert(
            "capabilities".to_owned(),
            json!({ "add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"] }),
        );
    }
}

fn is_any_present(parts: &[Part], owner: &At<'_>) -> Result<bool, Malformed> {
    for part in parts {
        if matches!(part.presence(owner)?, Presence::Present) {
            return Ok(true);
        }
    }
    Ok(false)
}
