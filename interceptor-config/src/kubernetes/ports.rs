// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The ports of a sidecar that does not listen on Istio's usual ports. No annotation names them, but the container that
//! validates the redirection has the command line of `istio-iptables`. Istio's CNI plugin redirects such a pod to the
//! usual ports all the same.

use super::pod::Pod;
use crate::{
    accounts::NoAccounts,
    parse,
    settings::{Flags, Setting, arguments},
};

/// The container that checks that connections are redirected, where no container of the pod sets that up.
const VALIDATION: &str = "istio-validation";
const PORTS: [Setting; 2] = [Setting::EnvoyPort, Setting::InboundCapturePort];

/// Adds the ports to the flags, with a warning that says so if they are not the usual ports.
pub(super) fn add(pod: &Pod, flags: Flags, warnings: &mut Vec<String>) -> Flags {
    let Some(container) = pod.container(VALIDATION) else { return flags };
    let given = match command_line(&container.args) {
        Ok(given) => given,
        Err(line) => {
            warnings.push(format!(
                "arguments of {VALIDATION}: not read, and Istio's usual ports are taken: {line}"
            ));
            return flags;
        }
    };
    PORTS.into_iter().fold(flags, |flags, setting| {
        let Some(text) = given.get(setting).filter(|text| *text != setting.default()) else {
            return flags;
        };
        match parse::one_port(setting, text, &NoAccounts) {
            Ok(port) => {
                warnings.push(format!(
                    "arguments of {VALIDATION}: {setting} is {port}, which is taken; Istio's CNI plugin would take {}",
                    setting.default()
                ));
                flags.with(setting, text)
            }
            Err(error) => {
                warnings.push(format!("arguments of {VALIDATION}: {error}; {} is taken", setting.default()));
                flags
            }
        }
    })
}

/// The flags of a command line. The name of the command may stand before them.
fn command_line(args: &[String]) -> Result<Flags, String> {
    let flags: Vec<&str> = args
        .iter()
        .map(String::as_str)
        .skip_while(|arg| !arg.starts_with('-'))
        .collect();
    arguments::parse(&flags)
}
