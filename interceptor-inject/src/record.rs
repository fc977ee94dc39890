// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The annotation that keeps what the rewrite replaced, for people and for going back. No rewrite depends on it.

use serde_json::{Value, json};

use crate::malformed::{At, Malformed, Object};

const ANNOTATION: &str = "interceptor.dev/istio-init";
const WANTED: &str = "the JSON that interceptor inject wrote (remove the annotation to do without it)";

/// What the rewrite replaced in the container.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    /// The image by which the rewrite replaced the original one.
    pub(crate) image: String,
    /// The fields of the container that were replaced, as they were. `null` stands for a field that was absent.
    pub(crate) original: Object,
}

impl Record {
    /// The fields of a container that the rewrite replaces, and does not merely add to.
    const FIELDS: [&str; 4] = ["args", "command", "image", "securityContext"];

    /// What stands in `old` and not in `new`, which has `image`.
    pub(crate) fn of(old: &Object, new: &Object, image: &str) -> Self {
        let replaced = Self::FIELDS.iter().filter(|field| old.get(**field) != new.get(**field));
        let kept = replaced.map(|field| ((*field).to_owned(), old.get(*field).cloned().unwrap_or_default()));
        Self { image: image.to_owned(), original: kept.collect() }
    }

    /// Puts the fields back.
    pub(crate) fn restore(self, container: &mut Object) {
        for (field, value) in self
            .original
            .into_iter()
            .filter(|(field, _)| Self::FIELDS.contains(&field.as_str()))
        {
            if value.is_null() {
                container.remove(&field);
            } else {
                container.insert(field, value);
            }
        }
    }

    /// The record of a pod or a pod template.
    pub(crate) fn read(template: &At<'_>) -> Result<Option<Self>, Malformed> {
        let Some(annotation) = template.descend(&["metadata", "annotations", ANNOTATION])? else {
            return Ok(None);
        };
        let unreadable = || annotation.malformed(WANTED);
        let mut record: Object = serde_json::from_str(annotation.text()?).map_err(|_not_json| unreadable())?;
        match (record.remove("image"), record.remove("original")) {
            (Some(Value::String(image)), Some(Value::Object(original))) => Ok(Some(Self { image, original })),
            _ => Err(unreadable()),
        }
    }

    /// Writes the record into the metadata of a template.
    pub(crate) fn write(self, template: &mut Object) {
        let Self { image, original } = self;
        let record = json!({ "version": env!("CARGO_PKG_VERSION"), "image": image, "original": original });
        if let Some(annotations) = object_in(template, "metadata").and_then(|at| object_in(at, "annotations")) {
            annotations.insert(ANNOTATION.to_owned(), Value::String(record.to_string()));
        }
    }

    /// Removes the record.
    pub(crate) fn erase(template: &mut Object) {
        let Some(Value::Object(metadata)) = template.get_mut("metadata") else {
            return;
        };
        let Some(Value::Object(annotations)) = metadata.get_mut("annotations") else {
            return;
        };
        if annotations.remove(ANNOTATION).is_some() && annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
}

/// A field that is an object; it is made if it is absent.
pub(crate) fn object_in<'a>(object: &'a mut Object, field: &str) -> Option<&'a mut Object> {
    let value = object.entry(field).or_insert(Value::Null);
    if value.is_null() {
        *value = Value::Object(Object::new());
    }
    value.as_object_mut()
}
