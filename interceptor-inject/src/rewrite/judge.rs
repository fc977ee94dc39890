// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether a pod can be rewritten. A pod in which Interceptor would not work keeps Istio's rules.

use std::path::Path;

use interceptor_config::{Accounts, InterceptionMode, IstioConfig, ResolvConf, Sources, settings::arguments};

use super::Rewrite;
use crate::{
    containers::{self, Init},
    malformed::{At, Malformed},
    outcome::Reason,
    walk::Stop,
};

const OPT_OUT: &str = "interceptor.dev/rewrite";

/// A pod that can be rewritten.
pub(super) struct Judged<'a> {
    pub(super) init: Init<'a>,
    /// From `istio-iptables` on.
    pub(super) arguments: Vec<&'a str>,
    /// What may go wrong with the pod after the rewrite.
    pub(super) warnings: Vec<String>,
}

pub(super) fn judge<'a>(template: &At<'a>, options: &Rewrite) -> Result<Judged<'a>, Stop> {
    let mut warnings = Vec::from_iter(opted_out(template)?);
    let spec = template.required("spec")?;
    let init = containers::find(&spec)?;
    fit(&spec, options)?;
    let arguments = init.arguments()?;
    let variables = init.variables()?;
    match configuration(&arguments, &variables).map_err(|message| Reason::Arguments { message })? {
        (InterceptionMode::Tproxy, _notes) if !options.tproxy => return Err(Reason::Tproxy.into()),
        (_mode, notes) => warnings.extend(notes),
    }
    if default_seccomp(&spec, &init)? {
        warnings.push(
            "it has the seccomp profile RuntimeDefault, which in older container runtimes refuses bpf() without \
             CAP_SYS_ADMIN"
                .to_owned(),
        );
    }
    Ok(Judged { init, arguments, warnings })
}

/// Stops at a pod that has opted out. The label wins over the annotation. A value without a meaning gets a warning.
fn opted_out(template: &At<'_>) -> Result<Option<String>, Stop> {
    for (by, field) in [("label", "labels"), ("annotation", "annotations")] {
        let Some(value) = template.descend(&["metadata", field, OPT_OUT])? else {
            continue;
        };
        return match value.text()? {
            "false" => Err(Reason::OptedOut { by }.into()),
            "true" => Ok(None),
            other => Ok(Some(format!(
                "its {by} {OPT_OUT} is {other:?}, which means nothing; to opt out, write \"false\""
            ))),
        };
    }
    Ok(None)
}

/// Stops at a pod in which BPF programs cannot be loaded, or would have no effect or too much.
fn fit(spec: &At<'_>, options: &Rewrite) -> Result<(), Stop> {
    let is = |name, value| -> Result<bool, Malformed> {
        let at = spec.field(name)?;
        Ok(at.map(|at| at.switch()).transpose()? == Some(value))
    };
    if is("hostNetwork", true)? {
        return Err(Reason::HostNetwork.into());
    }
    if is("hostUsers", false)? {
        return Err(Reason::UserNamespace.into());
    }
    let system = spec.descend(&["os", "name"])?.map(|name| name.text()).transpose()?;
    if system == Some("windows") {
        return Err(Reason::Windows.into());
    }
    let class = spec.field("runtimeClassName")?.map(|class| class.text()).transpose()?;
    match class {
        Some(class) if !options.any_runtime => Err(Reason::RuntimeClass { class: class.to_owned() }.into()),
        _ => Ok(()),
    }
}

/// Reads the arguments as the container will read them. The error says which one is refused, and what to write.
fn configuration(arguments: &[&str], variables: &[(&str, &str)]) -> Result<(InterceptionMode, Vec<String>), String> {
    let variable = |name: &str| {
        let last = variables.iter().rev().find(|(known, _value)| *known == name);
        last.map(|(_name, value)| (*value).to_owned())
    };
    // The name istio-iptables is no argument.
    let flags = arguments::parse(arguments.get(1..).unwrap_or_default())?;
    let sources = Sources { flags: &flags, environment: &variable, annotations: None };
    // Which servers the pod asks is known when the pod runs.
    let resolv_conf = ResolvConf {
        path: Path::new("/etc/resolv.conf"),
        read: &|_path| Ok(b"nameserver 192.0.2.1\n".to_vec()),
    };
    let read = IstioConfig::resolve(sources, &NoAccounts, resolv_conf).and_then(|(config, mut notes)| {
        let wanted = config.supported()?;
        notes.extend(wanted.notes());
        Ok((wanted.config().inbound.mode, notes))
    });
    read.map_err(|error| error.to_string())
}

/// Interceptor's image has no accounts and no names of services.
struct NoAccounts;

impl Accounts for NoAccounts {
    fn uid(&self, _name: &str) -> Option<u32> {
        None
    }

    fn gid(&self, _name: &str) -> Option<u32> {
        None
    }

    fn service(&self, _name: &str) -> Option<u16> {
        None
    }
}

/// Whether the container runs with the default seccomp profile of the container runtime.
fn default_seccomp(spec: &At<'_>, init: &Init<'_>) -> Result<bool, Malformed> {
    const PROFILE: &[&str] = &["securityContext", "seccompProfile", "type"];
    let profile = match init.container.descend(PROFILE)? {
        Some(profile) => Some(profile),
        None => spec.descend(PROFILE)?,
    };
    Ok(profile.map(|profile| profile.text()).transpose()? == Some("RuntimeDefault"))
}
