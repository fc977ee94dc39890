// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Walks through a manifest to its pod templates, and through the items of lists. What happens to a template is up to
//! the caller.

use serde_json::Value;

use crate::{
    kinds::{self, Kind},
    malformed::{At, Malformed, Object},
    outcome::{Outcome, Reason, Verdict, Workload},
};

/// A pod or a pod template after a change, and the warnings about it.
pub(crate) struct Changed {
    pub(crate) template: Object,
    pub(crate) warnings: Vec<String>,
}

/// Why a pod template is not changed.
#[derive(Debug)]
pub(crate) enum Stop<E = Malformed> {
    LeftAlone(Reason),
    /// The whole manifest is refused.
    Refused(E),
}

impl<E> From<Reason> for Stop<E> {
    fn from(reason: Reason) -> Self {
        Self::LeftAlone(reason)
    }
}

impl<E: From<Malformed>> From<Malformed> for Stop<E> {
    fn from(malformed: Malformed) -> Self {
        Self::Refused(malformed.into())
    }
}

/// Lets `change` decide about each pod template.
pub(crate) fn walk<E: From<Malformed>>(
    manifest: &Value,
    more_kinds: &[Kind],
    change: &dyn Fn(&Place<'_>) -> Result<Changed, Stop<E>>,
) -> Result<Outcome, E> {
    let mut outcome = Outcome { manifest: manifest.clone(), workloads: Vec::new() };
    for place in places(&At::root(manifest), more_kinds)? {
        let changed = change(&place);
        let Place { template, pointer, kind, name, namespace, .. } = place;
        let verdict = match changed {
            Ok(Changed { template: new, .. }) if new == *template.object()? => Verdict::Unchanged,
            Ok(Changed { template: new, warnings }) => {
                if let Some(slot) = outcome.manifest.pointer_mut(&pointer) {
                    *slot = Value::Object(new);
                }
                Verdict::Changed { warnings }
            }
            Err(Stop::LeftAlone(reason)) => Verdict::LeftAlone(reason),
            Err(Stop::Refused(error)) => return Err(error),
        };
        outcome.workloads.push(Workload { kind, name, namespace, verdict });
    }
    Ok(outcome)
}

/// A pod template and whose it is.
pub(crate) struct Place<'a> {
    pub(crate) template: At<'a>,
    /// Where the template is, as a JSON pointer.
    pointer: String,
    /// The object that the template belongs to. A pod is its own template.
    #[cfg_attr(
        not(feature = "cli"),
        expect(dead_code, reason = "only Istio's template asks for it")
    )]
    pub(crate) owner: At<'a>,
    pub(crate) kind: String,
    pub(crate) name: String,
    /// Of the object; empty if the manifest names none.
    pub(crate) namespace: String,
}

impl Place<'_> {
    /// Kind, namespace and name, as in `Deployment shop/web`.
    pub(crate) fn title(&self) -> String {
        let Self { kind, name, namespace, .. } = self;
        let namespace = if namespace.is_empty() { String::new() } else { format!("{namespace}/") };
        format!("{kind} {namespace}{name}")
    }
}

fn places<'a>(manifest: &At<'a>, more_kinds: &[Kind]) -> Result<Vec<Place<'a>>, Malformed> {
    let mut places = Vec::new();
    let mut open = vec![Unvisited { object: manifest.clone(), pointer: String::new(), of_list: None }];
    while let Some(Unvisited { object, pointer, of_list }) = open.pop() {
        let (api_version, kind) = match of_list {
            Some(kind) if object.field("kind")?.is_none() => kind,
            _ => (object.required("apiVersion")?.text()?, object.required("kind")?.text()?),
        };
        if let Some(of_items) = kind.strip_suffix("List").filter(|_| is_list(&object)) {
            let of_list = (!of_items.is_empty()).then_some((api_version, of_items));
            let items = object.list("items")?.into_iter().enumerate();
            let items = items.map(|(index, object)| {
                let pointer = format!("{pointer}/items/{index}");
                Unvisited { object, pointer, of_list }
            });
            // The first item is to come first.
            open.extend(items.rev());
        } else if let Some(way) = kinds::template(api_version, kind, more_kinds) {
            let template = way.iter().try_fold(object.clone(), |at, name| at.required(name))?;
            let pointer = way.iter().fold(pointer, |pointer, name| pointer + "/" + &escaped(name));
            let (name, namespace) = names(&object)?;
            let kind = kind.to_owned();
            places.push(Place { template, pointer, owner: object, kind, name, namespace });
        }
    }
    Ok(places)
}

/// An object that has not been looked at yet.
struct Unvisited<'a> {
    object: At<'a>,
    /// Where it is, as a JSON pointer.
    pointer: String,
    /// API version and kind of an item that does not say them, as in a `DeploymentList` of the API server.
    of_list: Option<(&'a str, &'a str)>,
}

/// An object with items is a list for kubectl
/// ([`unstructured.go`](https://github.com/kubernetes/apimachinery/blob/v0.34.0/pkg/apis/meta/v1/unstructured/unstructured.go)).
fn is_list(object: &At<'_>) -> bool {
    object
        .object()
        .is_ok_and(|object| object.get("items").is_some_and(Value::is_array))
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn names(object: &At<'_>) -> Result<(String, String), Malformed> {
    let text = |name| -> Result<Option<String>, Malformed> {
        let at = object.descend(&["metadata", name])?;
        at.map(|at| at.text().map(str::to_owned)).transpose()
    };
    let name = match text("name")? {
        Some(name) => name,
        None => text("generateName")?.unwrap_or_else(|| "without a name".to_owned()),
    };
    Ok((name, text("namespace")?.unwrap_or_default()))
}
