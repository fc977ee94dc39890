// SPDX-License-Identifier: Apache-2.0 OR MIT
//! ADD: the pod passes, or the agent enrolls it, or its sandbox fails. No process of the pod runs before.

use std::os::fd::AsFd as _;

use interceptor_wire::{Answer, AskError, Attachment, Descriptors, Did, Pod, Request};

use crate::{
    agent::{self, Agent, Patience},
    cgroup,
    error::CniError,
    log::Level,
    netns,
    plugin::Attached,
    result,
    skip::{Standing, standing},
};

/// What to print.
pub(crate) fn add(attached: &Attached<'_>) -> Result<String, CniError> {
    let Attached { plugin, call } = attached;
    match standing(plugin.config, call.pod.as_ref()) {
        Standing::Passes(reason) => plugin.log.say(Level::Info, "passed", &reason.to_string()),
        Standing::Asks { pod, injected } => enroll(attached, pod, injected)?,
    }
    Ok(result::passed_on(plugin.config))
}

fn enroll(attached: &Attached<'_>, pod: &Pod, injected: bool) -> Result<(), CniError> {
    let Attached { plugin, call } = attached;
    let config = plugin.config;
    let netns = netns::open(call.netns.as_deref())?;
    let ips = result::addresses(config)?;
    // First, so that nothing is made for an agent that is not there.
    let agent = Agent::connect(config, Patience::of(config)).map_err(|error| agent::unanswered(&error))?;
    let cgroup = match cgroup::find(&attached.cgroup()) {
        Err(error) if injected => return Err(error),
        // Whether the pod needs one, only the agent knows.
        found => found,
    };
    let request = Request::Add(Attachment {
        container_id: call.container_id.clone(),
        ifname: call.ifname.clone(),
        netns_path: call.netns.clone(),
        pod: Some(pod.clone()),
        cgroup_path: cgroup.as_ref().ok().map(|cgroup| cgroup.path.display().to_string()),
        ips,
    });
    let descriptors = Descriptors {
        netns: Some(netns.as_fd()),
        cgroup: cgroup.as_ref().ok().map(|cgroup| cgroup.directory.as_fd()),
    };
    let (did, why) = match agent.ask(&request, &descriptors) {
        Ok(Answer::Done { did: Did::Enrolled, why }) => ("enrolled", why),
        other => {
            release(attached);
            ("passed", skipped(other).map_err(|error| without_cgroup(error, cgroup.err()))?)
        }
    };
    plugin.log.say(Level::Info, did, &why);
    Ok(())
}

/// Why the pod is not enrolled, if that is right.
fn skipped(answer: Result<Answer, AskError>) -> Result<String, CniError> {
    match answer {
        Ok(Answer::Done { did: Did::Skipped, why }) => Ok(why),
        Ok(Answer::Done { did, why: _ }) => Err(agent::unexpected(did)),
        Ok(Answer::Refused { code, msg, retry: _ }) => Err(agent::refused(code, msg)),
        Err(error) => Err(agent::unanswered(&error)),
    }
}

/// The agent refuses a pod that came without its cgroup. Only the plugin knows why it did.
fn without_cgroup(error: CniError, unfound: Option<CniError>) -> CniError {
    let Some(unfound) = unfound else { return error };
    let details = format!("{}; the agent answered: {}", unfound.details, error.msg);
    unfound.details(details)
}

/// A pod that is not enrolled leaves nothing behind.
fn release(attached: &Attached<'_>) {
    if let Err(error) = cgroup::release(&attached.cgroup()) {
        attached.plugin.log.say(Level::Warn, "note", &error.msg);
    }
}
