// SPDX-License-Identifier: Apache-2.0 OR MIT
//! CHECK: is what ADD did still in force? The agent knows.

use std::os::fd::AsFd as _;

use interceptor_wire::{Answer, Attachment, Descriptors, Did, Request};

use crate::{
    agent::{self, Agent, Patience},
    error::CniError,
    log::Level,
    netns,
    plugin::Attached,
    skip::{Standing, standing},
    versions,
};

pub(crate) fn check(attached: &Attached<'_>) -> Result<(), CniError> {
    let Attached { plugin, call } = attached;
    let config = plugin.config;
    versions::require("CHECK", "0.4.0", &config.cni_version)?;
    let pod = match standing(config, call.pod.as_ref()) {
        Standing::Passes(reason) => {
            plugin.log.say(Level::Debug, "passed", &reason.to_string());
            return Ok(());
        }
        Standing::Asks { pod, injected: _ } => pod,
    };
    let netns = netns::open(call.netns.as_deref())?;
    let request = Request::Check(Attachment {
        container_id: call.container_id.clone(),
        ifname: call.ifname.clone(),
        netns_path: call.netns.clone(),
        pod: Some(pod.clone()),
        cgroup_path: None,
        ips: Vec::new(),
    });
    let descriptors = Descriptors { netns: Some(netns.as_fd()), cgroup: None };
    match Agent::connect(config, Patience::of(config)).and_then(|agent| agent.ask(&request, &descriptors)) {
        Ok(Answer::Done { did: Did::Checked | Did::Skipped, why }) => {
            plugin.log.say(Level::Debug, "checked", &why);
            Ok(())
        }
        Ok(Answer::Done { did, .. }) => Err(agent::unexpected(did)),
        Ok(Answer::Refused { code, msg, retry: _ }) => Err(agent::refused(code, msg)),
        Err(error) => Err(agent::unanswered(&error)),
    }
}
