// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The init containers of a pod: which one is Istio's, and what it runs.

use serde_json::Value;

use crate::{
    malformed::{At, Malformed},
    outcome::Reason,
    walk::Stop,
};

/// The init container that sets up the redirection. Istio's CNI plugin knows the pods to skip by it
/// ([`plugin.go`](https://github.com/istio/istio/blob/master/cni/pkg/plugin/plugin.go)), so the name stays.
pub(crate) const INIT: &str = "istio-init";
/// The init container of a pod whose redirection the CNI plugin sets up.
pub(crate) const VALIDATION: &str = "istio-validation";
const PROGRAM: &str = "istio-iptables";
const AGENT: &str = "pilot-agent";

/// The init container `istio-init` of a pod.
#[derive(Debug)]
pub(crate) struct Init<'a> {
    /// Among the pod's init containers.
    pub(crate) index: usize,
    pub(crate) container: At<'a>,
}

/// Finds the container by its name.
pub(crate) fn find<'a>(spec: &At<'a>) -> Result<Init<'a>, Stop> {
    if let Some(found) = named(spec, INIT)? {
        return Ok(found);
    }
    let is_validated = named(spec, VALIDATION)?.is_some();
    Err(if is_validated { Reason::Cni } else { Reason::NotInjected }.into())
}

/// The init container of this name.
pub(crate) fn named<'a>(spec: &At<'a>, wanted: &str) -> Result<Option<Init<'a>>, Malformed> {
    let mut found = None;
    for (index, container) in spec.list("initContainers")?.into_iter().enumerate() {
        let name = container.required("name")?;
        if name.text()? != wanted {
            continue;
        }
        if found.is_some() {
            return Err(name.malformed("a name that no other container has"));
        }
        found = Some(Init { index, container });
    }
    Ok(found)
}

impl<'a> Init<'a> {
    /// The arguments from `istio-iptables` on, wherever they are written. This is what Interceptor's image is to be
    /// started with, because that image has no `pilot-agent`.
    pub(crate) fn arguments(&self) -> Result<Vec<&'a str>, Stop> {
        let command = self.container.texts("command")?;
        if let Some(program) = command.first().filter(|program| !is_agent(program)) {
            return Err(Reason::Command { command: (*program).to_owned() }.into());
        }
        let mut words = [command, self.container.texts("args")?].concat();
        if words.first().is_some_and(|word| is_agent(word)) {
            words.remove(0);
        }
        if words.first() == Some(&PROGRAM) {
            Ok(words)
        } else {
            Err(Reason::NotIstios.into())
        }
    }

    /// The value of an environment variable, as far as the manifest tells.
    pub(crate) fn variables(&self) -> Result<Vec<(&'a str, &'a str)>, Malformed> {
        let mut variables = Vec::new();
        for variable in self.container.list("env")? {
            let name = variable.required("name")?.text()?;
            match (variable.field("value")?, variable.field("valueFrom")?) {
                (Some(value), _) => variables.push((name, value.text()?)),
                (None, None) => variables.push((name, "")),
                // The value is known when the container runs, and not before.
                (None, Some(_source)) => {}
            }
        }
        Ok(variables)
    }

    pub(crate) fn image(&self) -> Result<&'a str, Malformed> {
        self.container.field("image")?.map_or(Ok(""), |image| image.text())
    }
}

fn is_agent(program: &str) -> bool {
    program.rsplit('/').next() == Some(AGENT)
}

/// The words as a list of a manifest.
pub(crate) fn list(words: &[&str]) -> Value {
    words.iter().map(|word| Value::String((*word).to_owned())).collect()
}
