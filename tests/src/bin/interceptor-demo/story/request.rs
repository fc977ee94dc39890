// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One request, through both sidecars.

use super::enroll::Sidecars;
use crate::{
    application::APPLICATION,
    chain::{self, Seen},
    stage::{PAGE, Stage, USER, curl, look},
    status::{counters, since, times},
    tell::Tell,
};

pub(super) fn with_curl(tell: &mut Tell, stage: &mut Stage<'_>, sidecars: &mut Sidecars) -> anyhow::Result<()> {
    tell.step("The page, through both sidecars")?;
    let before = [counters(stage.node, &stage.client)?, counters(stage.node, &stage.web)?];
    let run = curl(tell, &stage.client, "client")?;
    tell.holds(format!("curl of uid {USER} gets the page"), run.stdout.as_str(), PAGE)?;

    stage.interceptor(tell, &["status"])?;
    let moved = [
        since(&before[0], &counters(stage.node, &stage.client)?),
        since(&before[1], &counters(stage.node, &stage.web)?),
    ];
    tell.holds(
        "in the pod client, one connection was redirected (outbound_cidr_included), and its sidecar's was left alone \
         (proxy_owner)",
        &moved[0],
        &times(1, &["outbound_cidr_included", "proxy_owner"]),
    )?;
    tell.holds(
        "in the pod web, one was redirected (inbound_port_included), and its sidecar's was left alone at both of its \
         ends \
         (passthrough_source, from_inside_pod)",
        &moved[1],
        &times(1, &["inbound_port_included", "passthrough_source", "from_inside_pod"]),
    )?;
    tell.say("What each of them saw:")?;
    chain::show(
        tell,
        Seen::next(&mut sidecars.client, &mut sidecars.web, &mut stage.application),
        None,
    )
}

pub(super) fn from_inside(tell: &mut Tell, stage: &mut Stage<'_>, sidecars: &mut Sidecars) -> anyhow::Result<()> {
    tell.step("What an application sees of its own socket")?;
    let report = look(&stage.client);
    anyhow::ensure!(report.error.is_none(), "the request failed: {report:?}");
    let (peer, local) = (report.peer, report.local);
    let shown = |address: Option<std::net::SocketAddr>| {
        address.map_or_else(|| "nothing".to_owned(), |address| address.to_string())
    };
    tell.say(format_args!(
        "another client of uid {USER}, to {APPLICATION}: getpeername {}, getsockname {}",
        shown(peer),
        shown(local)
    ))?;
    tell.holds(
        "it, too, gets an answer",
        &report.received.as_deref().map(str::trim_end),
        &Some("HTTP/1.1 200 OK"),
    )?;
    tell.holds(
        "its peer is exactly what it dialed, not the sidecar",
        &peer,
        &Some(APPLICATION.parse()?),
    )?;
    chain::show(
        tell,
        Seen::next(&mut sidecars.client, &mut sidecars.web, &mut stage.application),
        local,
    )
}
