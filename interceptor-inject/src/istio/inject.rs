// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One pod: from the decision whether it is injected to the pod that comes out
//! ([`RunTemplate`](https://github.com/istio/istio/blob/master/pkg/kube/inject/inject.go)).

use std::time::Instant;

use serde_json::Value;

use super::{
    annotations,
    config::SIDECAR,
    data::Data,
    engine,
    fault::InjectFault,
    finish::{self, forget_prometheus},
    injector::Istio,
    merge::merged,
    overrides,
    owner::Owner,
    pod::{self, CONTAINERS, INIT_CONTAINERS},
    proxy_config::ProxyConfig,
    status::{self, STATUS},
};
use crate::{
    malformed::{At, Object},
    outcome::Reason,
    rewrite::Rewrite,
    selection::{self, Keys, Policy},
    walk::{Changed, Place, Stop},
    yaml,
};

const PROXY_CONFIG: &str = "proxy.istio.io/config";
const TEMPLATES: &str = "inject.istio.io/templates";
const MODE: &str = "sidecar.istio.io/interceptionMode";

pub(super) fn inject(istio: &Istio, place: &Place<'_>) -> Result<Changed, Stop<InjectFault>> {
    let template = &place.template;
    pod::check(template)?;
    let original = template.object()?;
    let warnings = selection::selected(&Policy::of_command(Keys::ISTIO), place, "")?;
    let proxy = proxy_config(istio, original).map_err(Stop::Refused)?;

    let data_pod = stripped(original, &proxy).map_err(|reason| refused(SIDECAR, reason))?;
    let (mut new, template_pod) = rendered(istio, place, original, &data_pod, &proxy)?;
    let is_tproxy = pod::annotation(original, MODE).unwrap_or_else(|| proxy.interception_mode()) == "TPROXY";
    let finish = |new: Object| -> Result<Object, String> {
        let mut new = overrides::reapply(new, original, &template_pod)?;
        overrides::adjust_user(&mut new, original, is_tproxy);
        finish::finish(&mut new, original, &template_pod, &proxy, istio)?;
        Ok(new)
    };
    new = finish(new).map_err(|reason| refused(SIDECAR, reason))?;

    rewritten(istio.rewrite.as_ref(), &template.path, Changed { template: new, warnings })
}

/// Rewrites the init container of a pod that Istio's injector has made. What cannot be rewritten stays Istio's.
pub(super) fn rewritten(
    rewrite: Option<&Rewrite>,
    path: &str,
    injected: Changed,
) -> Result<Changed, Stop<InjectFault>> {
    let Changed { template: mut new, mut warnings } = injected;
    if let Some(rewrite) = rewrite {
        let value = Value::Object(new.clone());
        match rewrite.template(&At::new(path.to_owned(), &value)) {
            Ok(changed) => {
                new = changed.template;
                warnings.extend(changed.warnings);
            }
            Err(Stop::LeftAlone(Reason::NotInjected | Reason::Cni | Reason::OptedOut { .. })) => {}
            // The pod is intercepted all the same: by iptables.
            Err(Stop::LeftAlone(reason)) => warnings.push(format!("istio-init stays Istio's, because {reason}")),
            Err(Stop::Refused(malformed)) => return Err(Stop::Refused(malformed.into())),
        }
    }
    Ok(Changed { template: new, warnings })
}

/// The configuration of the pod's sidecar. All annotations are checked here.
fn proxy_config(istio: &Istio, original: &Object) -> Result<ProxyConfig, InjectFault> {
    let mut faults = annotations::faults(pod::annotations(original));
    let over = match pod::annotation(original, PROXY_CONFIG).map(yaml::read_one) {
        None => Ok(Value::Null),
        Some(read) => read.map_err(|error| error.to_string()),
    };
    match over.and_then(|over| istio.mesh.proxy.overlaid(&over)) {
        Ok(proxy) if faults.is_empty() => return Ok(proxy),
        Ok(_) => {}
        Err(reason) => faults.push(format!("invalid value for annotation '{PROXY_CONFIG}': {reason}")),
    }
    Err(InjectFault::Annotations(faults))
}

/// The pod without what an earlier injection added, as templates are to see it.
fn stripped(original: &Object, proxy: &ProxyConfig) -> Result<Object, String> {
    let mut stripped = original.clone();
    if pod::annotation(original, STATUS).is_some() {
        for (list, name) in status::injected(original) {
            pod::take(&mut stripped, list, &name);
        }
        forget_prometheus(&mut stripped, proxy.status_port());
        pod::remove_annotations(&mut stripped, |name| name == STATUS);
    }
    overrides::reinsert(&mut stripped)?;
    Ok(stripped)
}

/// The pod with the templates merged into it, and what the templates alone have.
fn rendered(
    istio: &Istio,
    place: &Place<'_>,
    original: &Object,
    data_pod: &Object,
    proxy: &ProxyConfig,
) -> Result<(Object, Object), Stop<InjectFault>> {
    let part = |name| data_pod.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    let data = Data {
        owner: &Owner::of(place)?,
        metadata: &part("metadata"),
        spec: &part("spec"),
        proxy,
        mesh: &istio.mesh,
        values: &istio.values,
        revision: &istio.revision,
        native_sidecars: istio.native_sidecars,
    };
    let end = Instant::now() + engine::LONGEST;
    let (mut new, mut template_pod) = (original.clone(), Object::new());
    for name in pod::annotation(original, TEMPLATES)
        .unwrap_or(SIDECAR)
        .split(',')
        .map(str::trim)
    {
        let known = || istio.templates.keys().cloned().collect();
        let source = istio.templates.get(name);
        let source = source.ok_or_else(|| InjectFault::UnknownTemplate { name: name.to_owned(), known: known() });
        let text = engine::render(name, source.map_err(Stop::Refused)?, data.to_go(), end);
        let text = text.map_err(|reason| Stop::Refused(InjectFault::Template { name: name.to_owned(), reason }))?;
        let patch = patch(&text).map_err(|reason| refused(name, reason))?;
        template_pod = merged(&template_pod, &patch).map_err(|reason| refused(name, reason))?;
        pod::check(&At::new(format!("template {name}"), &Value::Object(template_pod.clone())))?;
        // A user's settings of istio-proxy stand among the containers, and a native sidecar among the init containers.
        if pod::container(&template_pod, INIT_CONTAINERS, pod::SIDECAR).is_some()
            && let Some(sidecar) = pod::take(&mut new, CONTAINERS, pod::SIDECAR)
        {
            pod::push(&mut new, INIT_CONTAINERS, sidecar);
        }
        new = merged(&new, &patch).map_err(|reason| refused(name, reason))?;
    }
    Ok((new, template_pod))
}

/// A patch of a pod's metadata and spec.
fn patch(text: &str) -> Result<Object, String> {
    // Go prints this where a value is missing. Istio injects it.
    let is_empty = |(line, _number): &(&str, usize)| line.contains("<no value>");
    if let Some((line, number)) = text.lines().zip(1..).find(is_empty) {
        return Err(format!(
            "line {number} (`{}`) lacks a value; add it to Istio's values or to the mesh configuration",
            line.trim()
        ));
    }
    let patch = match yaml::read_one(text).map_err(|error| error.to_string())? {
        // All of the template may be under a condition that does not hold.
        Value::Null => Object::new(),
        Value::Object(patch) => patch,
        _ => return Err("it is no object".to_owned()),
    };
    for (name, value) in &patch {
        if !["metadata", "spec"].contains(&name.as_str()) || !value.is_object() {
            return Err(format!("{name} is not metadata or spec, or no object"));
        }
    }
    Ok(patch)
}

fn refused(name: &str, reason: String) -> Stop<InjectFault> {
    Stop::Refused(InjectFault::Rendered { name: name.to_owned(), reason })
}
