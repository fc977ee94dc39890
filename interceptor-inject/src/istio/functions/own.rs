// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The functions that Istio adds to its templates.

use std::collections::HashMap;

use gtmpl_ng::{FuncError, Value as Go, funcs};
use serde_json::Value as Json;

use super::arguments::{Answer, bounded, count, exactly, fault, text};
use crate::{
    istio::{data::ENRICHES, fault::WAY_OUT, go},
    yaml,
};

/// Go's `index`. In a map of strings, what is absent is an empty string, and is printed as such.
pub(super) fn index(arguments: &[Go]) -> Answer {
    Ok(match funcs::index(arguments)? {
        Go::NoValue => Go::String(String::new()),
        found => found,
    })
}

/// `annotation META NAME DEFAULT`: the annotation of the pod, or the default as text.
pub(super) fn annotation(arguments: &[Go]) -> Answer {
    let [meta, name, default] = exactly("annotation", arguments)?;
    let annotations = go::get(meta, "Annotations");
    let found = annotations.and_then(|all| text("annotation", name).ok().and_then(|name| go::get(all, name)));
    Ok(Go::String(go::sprint(found.unwrap_or(default))))
}

/// `contains NEEDLE HAYSTACK`.
pub(super) fn contains(arguments: &[Go]) -> Answer {
    let [needle, haystack] = exactly("contains", arguments)?;
    Ok(Go::Bool(text("contains", haystack)?.contains(text("contains", needle)?)))
}

/// `directory PATH`: the path up to its last slash.
pub(super) fn directory(arguments: &[Go]) -> Answer {
    let [path] = exactly("directory", arguments)?;
    let path = text("directory", path)?;
    let end = path.rfind('/').map_or(0, |slash| slash + 1);
    Ok(Go::String(path[..end].to_owned()))
}

/// `fromJSON TEXT`. Istio takes a text that is no JSON for an empty object, in silence; here it is an error.
pub(super) fn from_json(arguments: &[Go]) -> Answer {
    let [json] = exactly("fromJSON", arguments)?;
    let json = text("fromJSON", json)?;
    let value: Json = serde_json::from_str(json).map_err(|error| fault(format!("fromJSON: {json:?}: {error}")))?;
    Ok(go::untyped(&value))
}

/// `indent SPACES TEXT`: all lines but the first.
pub(super) fn indent(arguments: &[Go]) -> Answer {
    let [spaces, source] = exactly("indent", arguments)?;
    let (spaces, source) = (count("indent", spaces)?, text("indent", source)?);
    let lines = source.matches('\n').count();
    bounded("indent", lines.saturating_mul(spaces).saturating_add(source.len()))?;
    Ok(Go::String(source.replace('\n', &format!("\n{}", " ".repeat(spaces)))))
}

/// `isset MAP KEY`.
pub(super) fn isset(arguments: &[Go]) -> Answer {
    let [map, key] = exactly("isset", arguments)?;
    Ok(Go::Bool(go::get(map, text("isset", key)?).is_some()))
}

/// `omitNil VALUE`: without what is null, and without what is empty then.
pub(super) fn omit_nil(arguments: &[Go]) -> Answer {
    let [value] = exactly("omitNil", arguments)?;
    Ok(without_nil(value).unwrap_or(Go::Nil))
}

fn without_nil(value: &Go) -> Option<Go> {
    match value {
        Go::Nil | Go::NoValue => None,
        Go::Map(fields) => {
            let kept = fields
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), without_nil(value)?)))
                .collect();
            let lost_all = |kept: &HashMap<_, _>| kept.is_empty() && !fields.is_empty();
            Some(kept).filter(|kept| !lost_all(kept)).map(Go::Map)
        }
        Go::Array(items) => {
            let kept: Vec<Go> = items.iter().filter_map(without_nil).collect();
            (!kept.is_empty() || items.is_empty()).then_some(Go::Array(kept))
        }
        other => Some(other.clone()),
    }
}

/// `otelResourceAttributes MESH …`: nothing, as long as the mesh does not ask for it.
pub(super) fn otel_resource_attributes(arguments: &[Go]) -> Answer {
    let mesh = arguments
        .first()
        .ok_or_else(|| FuncError::AtLeastXArgs("otelResourceAttributes".to_owned(), 1))?;
    if go::get(mesh, ENRICHES) == Some(&Go::Bool(true)) {
        return Err(fault(format!(
            "the mesh configuration asks for serviceAttributeEnrichment, which is not rendered here; {WAY_OUT}"
        )));
    }
    Ok(Go::String(String::new()))
}

/// `structToJSON STRUCT`, `protoToJSON MESSAGE`.
pub(super) fn struct_to_json(arguments: &[Go]) -> Answer {
    let [value] = exactly("structToJSON", arguments)?;
    let json = match (go::json_of(value), value) {
        (Some(json), _) => json.to_owned(),
        (None, Go::Nil | Go::NoValue) => "{}".to_owned(),
        (None, value) => json("structToJSON", value)?.to_string(),
    };
    Ok(Go::String(json))
}

/// `toJSON MAP`.
pub(super) fn to_json(arguments: &[Go]) -> Answer {
    let [value] = exactly("toJSON", arguments)?;
    let json = match value {
        Go::Nil | Go::NoValue => "{}".to_owned(),
        value => json("toJSON", value)?.to_string(),
    };
    Ok(Go::String(json))
}

/// `toLower TEXT`.
pub(super) fn to_lower(arguments: &[Go]) -> Answer {
    let [source] = exactly("toLower", arguments)?;
    Ok(Go::String(text("toLower", source)?.to_lowercase()))
}

/// `toYaml VALUE`.
pub(super) fn to_yaml(arguments: &[Go]) -> Answer {
    let [value] = exactly("toYaml", arguments)?;
    Ok(Go::String(yaml::written(&json("toYaml", value)?)))
}

/// `valueOrDefault VALUE DEFAULT`: the default for an empty string and for nothing.
pub(super) fn value_or_default(arguments: &[Go]) -> Answer {
    let [value, default] = exactly("valueOrDefault", arguments)?;
    let is_given = match value {
        Go::Nil | Go::NoValue => false,
        Go::String(text) => !text.is_empty(),
        _ => true,
    };
    Ok(if is_given { value.clone() } else { default.clone() })
}

fn json(name: &str, value: &Go) -> Result<Json, FuncError> {
    go::to_json(value).ok_or_else(|| fault(format!("{name}: this value cannot be written here; {WAY_OUT}")))
}
