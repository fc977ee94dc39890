// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The annotation that keeps what the rewrite replaced, for people and for going back. No rewrite depends on it.

use interceptor_config::Setting;
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
    /// Of a pod whose redirection the CNI plugin sets up.
    pub(crate) moved: Option<Moved>,
}

/// What the rewrite for the CNI plugin changed outside of the container.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moved {
    /// Where the container was among the init containers.
    pub(crate) index: usize,
    /// The annotations that were added.
    pub(crate) annotations: Vec<String>,
}

impl Record {
    /// The fields of a container that the rewrite replaces, and does not merely add to.
    const FIELDS: [&str; 5] = ["args", "command", "image", "name", "securityContext"];

    /// What stands in `old` and not in `new`, which has `image`.
    pub(crate) fn of(old: &Object, new: &Object, image: &str) -> Self {
        let replaced = Self::FIELDS.iter().filter(|field| old.get(**field) != new.get(**field));
        let kept = replaced.map(|field| ((*field).to_owned(), old.get(*field).cloned().unwrap_or_default()));
        Self { image: image.to_owned(), original: kept.collect(), moved: None }
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
        let moved = match record.remove("moved") {
            Some(moved) => Some(Moved::read(&moved).ok_or_else(unreadable)?),
            None => None,
        };
        match (record.remove("image"), record.remove("original")) {
            (Some(Value::String(image)), Some(Value::Object(original))) => Ok(Some(Self { image, original, moved })),
            _ => Err(unreadable()),
        }
    }

    /// Writes the record into the metadata of a template.
    pub(crate) fn write(self, template: &mut Object) {
        let Self { image, original, moved } = self;
        let mut record = json!({ "version": env!("CARGO_PKG_VERSION"), "image": image, "original": original });
        if let Some(Moved { index, annotations }) = moved {
            record["moved"] = json!({ "index": index, "annotations": annotations });
        }
        if let Some(annotations) = object_in(template, "metadata").and_then(|at| object_in(at, "annotations")) {
            annotations.insert(ANNOTATION.to_owned(), Value::String(record.to_string()));
        }
    }

    /// Removes the record.
    pub(crate) fn erase(template: &mut Object) {
        remove_annotations(template, &[ANNOTATION]);
    }
}

impl Moved {
    fn read(value: &Value) -> Option<Self> {
        let index = value.get("index")?.as_u64().and_then(|index| usize::try_from(index).ok())?;
        let names = value.get("annotations")?.as_array()?.iter();
        let annotations = names.map(|name| name.as_str().map(str::to_owned)).collect::<Option<_>>()?;
        Some(Self { index, annotations })
    }

    /// Takes the container back to its place, and the annotations away. Only Istio's can have been added.
    pub(crate) fn restore(&self, template: &mut Object, from: usize) {
        let Self { index, annotations } = self;
        let istios = |name: &&str| Setting::ALL.iter().any(|setting| setting.annotations().contains(name));
        let names: Vec<&str> = annotations.iter().map(String::as_str).filter(istios).collect();
        remove_annotations(template, &names);
        let list = template.get_mut("spec").and_then(|spec| spec.get_mut("initContainers"));
        if let Some(Value::Array(all)) = list
            && from < all.len()
        {
            let container = all.remove(from);
            all.insert((*index).min(all.len()), container);
        }
    }
}

/// Removes annotations, and their map if it is empty then.
fn remove_annotations(template: &mut Object, names: &[&str]) {
    let Some(Value::Object(metadata)) = template.get_mut("metadata") else {
        return;
    };
    let Some(Value::Object(annotations)) = metadata.get_mut("annotations") else {
        return;
    };
    let before = annotations.len();
    annotations.retain(|name, _value| !names.contains(&name.as_str()));
    if annotations.is_empty() && before > 0 {
        metadata.remove("annotations");
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
