// SPDX-License-Identifier: Apache-2.0 OR MIT
//! STATUS: can ADD be served? A runtime that hears no makes the whole node not ready, so the answer is yes as long as
//! pods without a sidecar start: where the runtime is asked for annotations, they need no agent.

use std::time::Duration;

use interceptor_wire::{Answer, Descriptors, Did, Request};

use crate::{
    agent::{self, Agent, Patience},
    error::{CniError, code},
    log::Level,
    plugin::Plugin,
    versions,
};

pub(crate) fn status(plugin: &Plugin<'_>) -> Result<(), CniError> {
    let config = plugin.config;
    versions::require("STATUS", "1.1.0", &config.cni_version)?;
    // Runtimes ask every few seconds, so an agent that is not there is not waited for.
    let patience = Patience { connect: Duration::ZERO, ..Patience::of(config) };
    let error = match Agent::connect(config, patience).and_then(|agent| agent.ask(&Request::Status, &Descriptors::NONE))
    {
        Ok(Answer::Done { did: Did::Ready, why }) => {
            plugin.log.say(Level::Debug, "ready", &why);
            return Ok(());
        }
        Ok(Answer::Done { did, .. }) => agent::unexpected(did),
        Ok(Answer::Refused { code, msg, retry: _ }) => agent::refused(code, msg),
        Err(error) => agent::unanswered(&error),
    };
    if config.asks_for_annotations {
        let why = format!("Pods with a sidecar do not start now, others do: {}", error.msg);
        plugin.log.say(Level::Warn, "ready", &why);
        return Ok(());
    }
    Err(CniError { code: code::NOT_AVAILABLE, ..error })
}
