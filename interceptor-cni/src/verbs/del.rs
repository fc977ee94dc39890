// SPDX-License-Identifier: Apache-2.0 OR MIT
//! DEL: ends the enrollment, and takes away what ADD made. It never fails: kubelet would call it again for days, and
//! the pod would not go. What it could not do, the agent finds and does later.

use std::{os::fd::AsFd as _, time::Duration};

use interceptor_wire::{Answer, Attachment, Descriptors, Request};

use crate::{
    agent::{Agent, Patience},
    cgroup,
    log::Level,
    netns,
    plugin::Attached,
    skip::{Standing, standing},
};

pub(crate) fn del(attached: &Attached<'_>) {
    let Attached { plugin, call } = attached;
    match standing(plugin.config, call.pod.as_ref()) {
        Standing::Passes(reason) => plugin.log.say(Level::Debug, "passed", &reason.to_string()),
        Standing::Asks { .. } => match ask(attached) {
            Ok(why) => plugin.log.say(Level::Info, "unenrolled", &why),
            Err(why) => plugin.log.say(Level::Warn, "left", &why),
        },
    }
    // Of any pod: the annotation may have gone since ADD.
    match cgroup::release(&attached.cgroup()) {
        Ok(true) => plugin
            .log
            .say(Level::Debug, "note", "The pod's cgroup, which ADD made, is removed"),
        Ok(false) => {}
        Err(error) => plugin.log.say(Level::Warn, "note", &error.msg),
    }
}

/// Returns what the agent says, or why nothing was done.
fn ask(attached: &Attached<'_>) -> Result<String, String> {
    let Attached { plugin, call } = attached;
    // Later calls for the same sandbox come without it.
    let netns = netns::open(call.netns.as_deref());
    let request = Request::Del(Attachment {
        container_id: call.container_id.clone(),
        ifname: call.ifname.clone(),
        netns_path: call.netns.clone(),
        pod: call.pod.clone(),
        cgroup_path: None,
        ips: Vec::new(),
    });
    let descriptors = Descriptors { netns: netns.as_ref().ok().map(|netns| netns.as_fd()), cgroup: None };
    // An agent that is not there is not waited for.
    let patience = Patience { connect: Duration::ZERO, answer: plugin.config.del_timeout };
    match Agent::connect(plugin.config, patience).and_then(|agent| agent.ask(&request, &descriptors)) {
        Ok(Answer::Done { did: _, why }) => Ok(why),
        Ok(Answer::Refused { msg, .. }) => Err(msg),
        Err(error) => Err(format!("{error}; the agent finds what is left over")),
    }
}
