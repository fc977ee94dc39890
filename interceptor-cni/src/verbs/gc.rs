// SPDX-License-Identifier: Apache-2.0 OR MIT
//! GC: the runtime names the attachments that live, and the agent collects what belongs to no other.

use interceptor_wire::{Answer, AskError, Descriptors, Did, Request};

use crate::{
    agent::{self, Agent, Patience},
    error::{CniError, code},
    log::Level,
    plugin::Plugin,
    versions,
};

pub(crate) fn gc(plugin: &Plugin<'_>) -> Result<(), CniError> {
    let config = plugin.config;
    versions::require("GC", "1.1.0", &config.cni_version)?;
    let Some(valid) = config.valid_attachments.clone() else {
        return Err(CniError::new(
            code::BAD_CONFIG,
            "The key cni.dev/valid-attachments is missing, and GC would take all attachments for dead; \
             the runtime has to set it",
        ));
    };
    let agent = Agent::connect(config, Patience::of(config));
    match agent.and_then(|agent| agent.ask(&Request::Gc { valid }, &Descriptors::NONE)) {
        Ok(Answer::Done { did: Did::Collected, why }) => plugin.log.say(Level::Info, "collected", &why),
        Ok(Answer::Done { did, .. }) => return Err(agent::unexpected(did)),
        Ok(Answer::Refused { code, msg, retry: _ }) => return Err(agent::refused(code, msg)),
        // An agent that starts collects by itself.
        Err(error @ (AskError::Unreachable { .. } | AskError::NoAnswer | AskError::Lost(_))) => {
            plugin
                .log
                .say(Level::Warn, "left", &format!("{error}; the agent collects when it is back"));
        }
        Err(error @ (AskError::Foreign { .. } | AskError::Malformed(_))) => return Err(agent::unanswered(&error)),
    }
    Ok(())
}
