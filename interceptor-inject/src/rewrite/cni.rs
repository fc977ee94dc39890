// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A pod whose redirection the CNI plugin sets up: the container only checks it, and needs no rights. What the
//! arguments said, annotations say to the plugin. Whether the plugin then does the same is not assumed: the plugin's
//! own decision over the new pod is compared with the arguments.

use std::collections::BTreeSet;

use interceptor_config::{
    InterceptionMode, IstioConfig, NumberRange, Selection, Setting,
    kubernetes::{self, Decision},
};
use serde_json::{Value, json};

use super::{
    image,
    judge::{self, Judged},
    options::Rewrite,
};
use crate::{
    containers::{self, Init},
    malformed::{At, Malformed, Object},
    ours,
    outcome::Reason,
    record::{Moved, Record, object_in},
    walk::{Changed, Stop},
};

/// What makes `istio-iptables` check the redirection instead of setting it up.
const CHECK_ONLY: [&str; 2] = ["--run-validation", "--skip-rule-apply"];
const OF_INTERCEPTOR: &str = "interceptor.dev/";

pub(super) fn rewrite(template: &At<'_>, options: &Rewrite) -> Result<Changed, Stop> {
    let Judged { init, arguments, flags, config, mut warnings } = judge::judge(template, options)?;
    let spec = template.required("spec")?;

    let mut container = init.container.object()?.clone();
    container.insert("name".to_owned(), Value::from(containers::VALIDATION));
    let image = image::chosen(options, init.image()?);
    container.insert("image".to_owned(), Value::String(image.clone()));
    container.remove("command");
    let missing = CHECK_ONLY.into_iter().filter(|flag| !arguments.contains(flag));
    let arguments: Vec<&str> = arguments.iter().copied().chain(missing).collect();
    container.insert("args".to_owned(), containers::list(&arguments));
    if let Some(context) = object_in(&mut container, "securityContext") {
        context.extend(restricted(&config)?);
    }
    for part in ours::of_container() {
        part.remove(&mut container);
    }

    let mut new_spec = spec.object()?.clone();
    if let Some(Value::Array(all)) = new_spec.get_mut("initContainers") {
        all.remove(init.index);
        // Nothing of the pod may run before it is known that connections are redirected.
        all.insert(0, Value::Object(container.clone()));
    }
    for part in ours::of_pod() {
        part.remove(&mut new_spec);
    }
    let mut new = template.object()?.clone();
    new.insert("spec".to_owned(), Value::Object(new_spec));
    Record::erase(&mut new);
    let mut record = Record::of(&istios(template, &init)?, &container, &image);

    let given = |setting: Setting| match (setting, config.inbound.mode) {
        (Setting::InterceptionMode, InterceptionMode::Redirect) => "REDIRECT".to_owned(),
        (Setting::InterceptionMode, InterceptionMode::Tproxy) => "TPROXY".to_owned(),
        (setting, _) => flags.get(setting).unwrap_or_default().to_owned(),
    };
    let missing = missing_annotations(template, &given)?;
    let with = |left_out: &BTreeSet<&str>| {
        let added = missing.iter().filter(|(name, _value)| !left_out.contains(name));
        annotated(&new, &added.cloned().collect::<Vec<_>>())
    };
    let mut left_out = BTreeSet::new();
    warnings.extend(compare(&with(&left_out), &config).map_err(|what| Reason::NotByCni { what })?);
    // Those that only say what the plugin does anyway are left out.
    for (name, _value) in &missing {
        left_out.insert(*name);
        if compare(&with(&left_out), &config).is_err() {
            left_out.remove(name);
        }
    }
    let mut template = with(&left_out);
    let added = missing
        .iter()
        .map(|(name, _value)| *name)
        .filter(|name| !left_out.contains(name));
    let annotations = added.map(str::to_owned).collect();
    record.moved = Some(Moved { index: init.index, annotations });
    record.write(&mut template);
    Ok(Changed { template, warnings })
}

/// The container as Istio made it, also if it has been rewritten since.
fn istios(template: &At<'_>, init: &Init<'_>) -> Result<Object, Malformed> {
    let mut container = init.container.object()?.clone();
    let present = init.image()?;
    if let Some(record) = Record::read(template)?.filter(|record| record.image == present) {
        record.restore(&mut container);
    }
    Ok(container)
}

/// The rights of a container that only connects, as the sidecar's user.
fn restricted(config: &IstioConfig) -> Result<Object, Stop> {
    let user = |ids: &[NumberRange]| match ids {
        [one] if one.first == one.last => Some(one.first),
        _ => None,
    };
    let (Some(uid), Some(gid)) = (user(&config.proxy.uids), user(&config.proxy.gids)) else {
        let what = "the sidecar has several users or groups".to_owned();
        return Err(Reason::NotByCni { what }.into());
    };
    let context = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": { "drop": ["ALL"] },
        "privileged": false,
        "readOnlyRootFilesystem": true,
        "runAsGroup": gid,
        "runAsNonRoot": true,
        "runAsUser": uid,
    });
    Ok(context.as_object().cloned().unwrap_or_default())
}

/// Istio's annotations that the pod does not have, with the texts of the arguments.
fn missing_annotations(
    template: &At<'_>,
    given: &dyn Fn(Setting) -> String,
) -> Result<Vec<(&'static str, String)>, Malformed> {
    let mut missing = Vec::new();
    for setting in Setting::ALL {
        let names = setting.annotations();
        let Some(name) = names.first().filter(|name| !name.starts_with(OF_INTERCEPTOR)) else {
            continue;
        };
        let mut is_there = false;
        for name in names {
            is_there |= template.descend(&["metadata", "annotations", name])?.is_some();
        }
        if !is_there {
            missing.push((*name, given(*setting)));
        }
    }
    Ok(missing)
}

fn annotated(template: &Object, annotations: &[(&'static str, String)]) -> Object {
    let mut new = template.clone();
    if !annotations.is_empty()
        && let Some(all) = object_in(&mut new, "metadata").and_then(|metadata| object_in(metadata, "annotations"))
    {
        let annotations = annotations.iter().cloned();
        all.extend(annotations.map(|(name, value)| (name.to_owned(), Value::String(value))));
    }
    new
}

/// What the plugin will warn of in this pod. The error says what it would do otherwise than `config` says.
fn compare(template: &Object, config: &IstioConfig) -> Result<Vec<String>, String> {
    let pod = serde_json::from_value(Value::Object(template.clone())).map_err(|error| error.to_string())?;
    match kubernetes::decide(&pod).map_err(|faults| faults.to_string())? {
        Decision::Skip(skip) => Err(skip.to_string()),
        Decision::Intercept { wanted, warnings } => {
            let (own, of_plugin) = (settings(config), settings(wanted.config()));
            let names: BTreeSet<_> = own.keys().chain(of_plugin.keys()).collect();
            match names.into_iter().find(|name| own.get(*name) != of_plugin.get(*name)) {
                None => Ok(warnings),
                Some(name) => {
                    let shown = |all: &Object| all.get(name).map_or_else(|| "nothing".to_owned(), Value::to_string);
                    Err(format!(
                        "{name} is {} there, and {} for the plugin",
                        shown(&own),
                        shown(&of_plugin)
                    ))
                }
            }
        }
    }
}

/// Everything that a verdict depends on. Lists are sets here.
fn settings(config: &IstioConfig) -> Object {
    let mut config = config.clone();
    // Inbound ports are excluded from all, and from nothing else.
    if config.inbound.ports != Selection::All {
        config.inbound.ports_excluded.clear();
    }
    let run = serde_json::to_value(&config.run).unwrap_or_default();
    let mut all = serde_json::to_value(config)
        .ok()
        .and_then(|all| all.as_object().cloned())
        .unwrap_or_default();
    all.retain(|name, _value| run.get(name).is_none());
    for value in all.values_mut() {
        if let Value::String(text) = value {
            let items: BTreeSet<&str> = text.split(',').collect();
            *text = items.into_iter().collect::<Vec<_>>().join(",");
        }
    }
    all
}
