// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The settings of a pod that is intercepted. They come from its annotations and from its sidecar: whom it runs as,
//! and three of its variables. Nothing else is read, and so `PROXY_CONFIG` has no effect, as in Istio's CNI plugin.

use std::{io, path::Path};

use super::{
    faults::{Fault, Faults},
    pod::{Container, Pod, SIDECAR, SecurityContext},
    ports,
};
use crate::{
    accounts::NoAccounts,
    error::ConfigError,
    istio::{DEFAULT_UID, IstioConfig, ResolvConf, Wanted},
    parse,
    settings::{Flags, Setting},
    sources::Sources,
    values::go,
};

const DNS_CAPTURE: &str = "ISTIO_META_DNS_CAPTURE";
/// The variables of the sidecar that are read. The table of settings has them too.
const VARIABLES: [&str; 3] = [DNS_CAPTURE, "ISTIO_DUAL_STACK", "INVALID_DROP"];

/// The settings with warnings, or everything that is wrong with them.
pub(super) fn read(pod: &Pod, sidecar: &Container) -> Result<(Wanted, Vec<String>), Faults> {
    let mut faults = Vec::new();
    let mut warnings = elsewhere(sidecar);
    let mut flags = ids(&sidecar.security_context, &mut faults);
    if value(sidecar, DNS_CAPTURE).as_deref().and_then(go::parse_bool) == Some(true) {
        flags = flags.with(Setting::CaptureAllDns, "true");
    }
    flags = ports::add(pod, flags, &mut warnings);
    match resolve(pod, sidecar, &flags, &mut faults) {
        Some((wanted, of_values)) if faults.is_empty() => {
            warnings.extend(of_values);
            Ok((wanted, warnings))
        }
        Some(_) | None => Err(Faults { faults }),
    }
}

/// Reads what the annotations, the variables and the flags say. Annotations with a fault are taken out, and the rest
/// is read once more, so that one fault hides no other.
fn resolve(pod: &Pod, sidecar: &Container, flags: &Flags, faults: &mut Vec<Fault>) -> Option<(Wanted, Vec<String>)> {
    // DNS is captured for all servers or not at all, so nobody asks for the list of them.
    let no_file = ResolvConf {
        path: Path::new("resolv.conf"),
        read: &|_path| Err(io::ErrorKind::NotFound.into()),
    };
    let mut hidden: Vec<&str> = Vec::new();
    loop {
        let annotation = |name: &str| pod.metadata.annotations.get(name).filter(|_| !hidden.contains(&name)).cloned();
        let sources = Sources { flags, environment: &|name| value(sidecar, name), annotations: Some(&annotation) };
        let resolved = IstioConfig::resolve(sources, &NoAccounts, no_file)
            .and_then(|(config, warnings)| Ok((config.supported()?, warnings)));
        match resolved {
            Ok(resolved) => return Some(resolved),
            Err(ConfigError::Annotations { faults: found }) => {
                hidden.extend(found.iter().flat_map(|fault| names_of_its_setting(fault.annotation)));
                faults.extend(found.into_iter().map(Fault::Annotation));
            }
            Err(error) => {
                faults.push(refused(pod, error));
                return None;
            }
        }
    }
}

/// All names of the setting that has this annotation. Where its successor is bad, a deprecated annotation is not read.
fn names_of_its_setting(annotation: &str) -> &'static [&'static str] {
    let all = Setting::ALL.iter().map(|setting| setting.annotations());
    all.into_iter().find(|names| names.contains(&annotation)).unwrap_or_default()
}

/// Names the annotation that asks for what cannot be done.
fn refused(pod: &Pod, error: ConfigError) -> Fault {
    let ConfigError::Unsupported { setting, .. } = &error else {
        return Fault::Setting(error);
    };
    let given = setting
        .annotations()
        .iter()
        .find(|name| pod.metadata.annotations.contains_key(**name));
    match given {
        Some(annotation) => Fault::Refused { annotation, error },
        None => Fault::Setting(error),
    }
}

/// Whom the sidecar runs as, which only its own security context says. Root counts as not said.
fn ids(context: &SecurityContext, faults: &mut Vec<Fault>) -> Flags {
    let SecurityContext { run_as_user, run_as_group } = *context;
    let mut flags = Flags::default();
    for (field, setting, id) in
        [("runAsUser", Setting::ProxyUid, run_as_user), ("runAsGroup", Setting::ProxyGid, run_as_group)]
    {
        let id = id.filter(|id| *id != 0).unwrap_or_else(|| DEFAULT_UID.into());
        // The numbers of users and of groups have the same bounds.
        match parse::users(setting, &id.to_string(), &NoAccounts) {
            Ok(_one) => flags = flags.with(setting, id.to_string()),
            Err(_out_of_bounds) => faults.push(Fault::Id { container: SIDECAR, field, id }),
        }
    }
    flags
}

/// A variable of the sidecar, if it is one of those that are read.
fn value(sidecar: &Container, name: &str) -> Option<String> {
    let variable = VARIABLES.contains(&name).then(|| sidecar.variable(name)).flatten()?;
    (!variable.is_elsewhere).then(|| variable.value.clone())
}

/// Warns of variables whose value is not in the pod.
fn elsewhere(sidecar: &Container) -> Vec<String> {
    let given = VARIABLES.iter().filter_map(|name| sidecar.variable(name));
    given
        .filter(|variable| variable.is_elsewhere)
        .map(|variable| {
            let name = &variable.name;
            format!(
                "variable {name} of {SIDECAR}: taken for false, because `valueFrom` is not read, as in Istio; write \
                 `value`"
            )
        })
        .collect()
}
