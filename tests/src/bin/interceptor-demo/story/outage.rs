// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A dead sidecar: refused, and not bypassed.

use testkit::records::Greeting;

use super::enroll::Sidecars;
use crate::{
    application::user_of,
    chain::{self, Seen},
    sidecar::Sidecar,
    stage::{PAGE, Stage, WEB, curl, look},
    status::{counters, since, times},
    tell::Tell,
};

/// curl: failed to connect.
const CANNOT_CONNECT: i32 = 7;

pub(super) fn of_the_client(tell: &mut Tell, stage: &mut Stage<'_>, sidecars: Sidecars) -> anyhow::Result<Sidecars> {
    tell.step("The client's sidecar is killed: refused, not bypassed")?;
    let Sidecars { client, mut web } = sidecars;
    let before = counters(stage.node, &stage.client)?;
    kill(tell, client)?;
    let run = curl(tell, &stage.client, "client")?;
    tell.holds("curl fails, for it cannot connect (7)", &run.code, &Some(CANNOT_CONNECT))?;
    let report = look(&stage.client);
    tell.holds(
        "to another client, connect says ECONNREFUSED",
        &report.connect_error(),
        &Some("ECONNREFUSED"),
    )?;
    let moved = since(&before, &counters(stage.node, &stage.client)?);
    tell.holds(
        "both are counted: they were to be redirected (outbound_cidr_included), and nobody listened (no_listener)",
        &moved,
        &times(2, &["outbound_cidr_included", "no_listener"]),
    )?;
    saw_nothing(tell, stage)?;

    tell.say("The sidecar comes back; nobody runs interceptor again.")?;
    let mut client = stage.client_sidecar(tell)?;
    again(tell, stage, &mut client, &mut web)?;
    Ok(Sidecars { client, web })
}

pub(super) fn of_the_web_pod(tell: &mut Tell, stage: &mut Stage<'_>, sidecars: Sidecars) -> anyhow::Result<Sidecars> {
    tell.step("The web pod's sidecar is killed: the same on the way in")?;
    let Sidecars { mut client, web } = sidecars;
    kill(tell, web)?;
    let run = curl(tell, &stage.client, "client")?;
    // Whether curl takes the reset for a failed connect (7) or for the end of a connection (56) depends on who is
    // quicker.
    tell.holds(
        "curl fails, and gets nothing",
        &(run.code == Some(0), run.stdout.as_str()),
        &(false, ""),
    )?;
    let seen = client.next();
    tell.say(format_args!("sidecar of the pod client: {}", chain::connection(&seen)))?;
    let refused = seen
        .refused
        .as_deref()
        .is_some_and(|reason| reason.contains("Connection refused"));
    tell.holds(
        "it took curl's connection, was itself refused by the pod web, and so broke curl's off",
        &refused,
        &true,
    )?;
    saw_nothing(tell, stage)?;

    let mut web = stage.web_sidecar(tell)?;
    again(tell, stage, &mut client, &mut web)?;
    Ok(Sidecars { client, web })
}

fn kill(tell: &mut Tell, sidecar: Sidecar) -> anyhow::Result<()> {
    let pid = sidecar.pid();
    tell.command("node, root", &format!("kill -KILL {pid}"), "")?;
    sidecar.kill();
    tell.holds(format!("process {pid} is gone"), &user_of(pid), &None)
}

/// The web application writes a line per connection, in their order: had one reached it, that would come first.
fn saw_nothing(tell: &mut Tell, stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let run = curl(tell, &stage.web, "web")?;
    let Greeting { peer, .. } = stage.application.json();
    tell.holds(
        format!("the web application saw nothing of it: its next connection is this one, from its own pod ({WEB})"),
        &(peer.ip(), run.stdout.as_str()),
        &(WEB.parse()?, PAGE),
    )
}

fn again(tell: &mut Tell, stage: &mut Stage<'_>, client: &mut Sidecar, web: &mut Sidecar) -> anyhow::Result<()> {
    let run = curl(tell, &stage.client, "client")?;
    tell.holds("curl gets the page again", run.stdout.as_str(), PAGE)?;
    let seen = Seen::next(client, web, &mut stage.application);
    tell.holds("through both sidecars", &seen.is_joined(), &true)
}
