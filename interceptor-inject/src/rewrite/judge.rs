// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether a pod can be rewritten. A pod in which Interceptor would not work keeps Istio's rules.

use std::path::Path;

use interceptor_config::{
    ConfigError, Flags, InterceptionMode, IstioConfig, NoAccounts, ResolvConf, Sources, settings::arguments,
};

use super::options::{DataPath, Rewrite};
use crate::{
    containers::{self, Init},
    malformed::{At, Malformed},
    outcome::Reason,
    walk::Stop,
};

pub(crate) const OPT_OUT: &str = "interceptor.dev/rewrite";

/// A pod that can be rewritten.
pub(super) struct Judged<'a> {
    pub(super) init: Init<'a>,
    /// From `istio-iptables` on.
    pub(super) arguments: Vec<&'a str>,
    /// What the arguments say.
    pub(super) flags: Flags,
    /// What the arguments and the variables of the container mean.
    pub(super) config: IstioConfig,
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
    let refused = |message| Reason::Arguments { message };
    // The name istio-iptables is no argument.
    let flags = arguments::parse(arguments.get(1..).unwrap_or_default()).map_err(refused)?;
    let (config, notes) = configuration(&flags, &variables).map_err(|error| refused(error.to_string()))?;
    warnings.extend(notes);
    if options.data_path == DataPath::Init {
        if config.inbound.mode == InterceptionMode::Tproxy && !options.tproxy {
            return Err(Reason::Tproxy.into());
        }
        warnings.extend(seccomp_warning(&spec, &init)?);
    }
    Ok(Judged { init, arguments, flags, config, warnings })
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
pub(crate) fn fit(spec: &At<'_>, options: &Rewrite) -> Result<(), Stop> {
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

/// Checks the arguments behind `istio-iptables` of a container without variables. Returns what is to be said of them.
pub(crate) fn checked(arguments: &[&str]) -> Result<Vec<String>, String> {
    let flags = arguments::parse(arguments)?;
    let (_config, notes) = configuration(&flags, &[]).map_err(|error| error.to_string())?;
    Ok(notes)
}

/// Reads the flags as the container will read them, and what is to be said about them.
fn configuration(flags: &Flags, variables: &[(&str, &str)]) -> Result<(IstioConfig, Vec<String>), ConfigError> {
    let variable = |name: &str| {
        let last = variables.iter().rev().find(|(known, _value)| *known == name);
        last.map(|(_name, value)| (*value).to_owned())
    };
    let sources = Sources { flags, environment: &variable, annotations: None };
    // Which servers the pod asks is known when the pod runs.
    let resolv_conf = ResolvConf {
        path: Path::new("/etc/resolv.conf"),
        read: &|_path| Ok(b"nameserver 192.0.2.1\n".to_vec()),
    };
    // Interceptor's image has no accounts and no names of services.
    let (config, mut notes) = IstioConfig::resolve(sources, &NoAccounts, resolv_conf)?;
    let wanted = config.supported()?;
    notes.extend(wanted.notes());
    Ok((wanted.config().clone(), notes))
}

/// Warns of the default seccomp profile of the container runtime.
fn seccomp_warning(spec: &At<'_>, init: &Init<'_>) -> Result<Option<String>, Malformed> {
    const PROFILE: &[&str] = &["securityContext", "seccompProfile", "type"];
    let profile = match init.container.descend(PROFILE)? {
        Some(profile) => Some(profile),
        None => spec.descend(PROFILE)?,
    };
    let is_default = profile.map(|profile| profile.text()).transpose()? == Some("RuntimeDefault");
    Ok(is_default.then(|| {
        "it has the seccomp profile RuntimeDefault, which in older container runtimes refuses bpf() without \
         CAP_SYS_ADMIN"
            .to_owned()
    }))
}
