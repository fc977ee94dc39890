// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why: asked before it happens, and compared with what is counted when it does.

use testkit::records::Greeting;

use crate::{
    application::APPLICATION,
    stage::{CLIENT, PAGE, Stage, URL, WEB, curl, netns},
    status::{counters, since, times},
    tell::Tell,
};

pub(super) fn explain(tell: &mut Tell, stage: &mut Stage<'_>) -> anyhow::Result<()> {
    tell.step("Why, by the same rules that the kernel has")?;
    let (client, web) = (netns(&stage.client), netns(&stage.web));
    because(
        tell,
        stage,
        &["--netns", &client, "--uid", "1002", APPLICATION],
        "outbound_cidr_included",
    )?;
    because(
        tell,
        stage,
        &["--netns", &web, "--inbound", "--source", CLIENT, APPLICATION],
        "inbound_port_included",
    )?;
    because(
        tell,
        stage,
        &["--netns", &web, "--inbound", "--source", CLIENT, "10.99.0.2:15021"],
        "inbound_port_excluded",
    )?;
    because(
        tell,
        stage,
        &["--netns", &web, "--uid", "1002", APPLICATION],
        "local_destination",
    )?;

    tell.say("The last one, done:")?;
    let before = counters(stage.node, &stage.web)?;
    let run = curl(tell, &stage.web, "web")?;
    tell.holds(format!("within the pod web, {URL} is the page"), run.stdout.as_str(), PAGE)?;
    let moved = since(&before, &counters(stage.node, &stage.web)?);
    tell.holds(
        "counted at its two ends, and nowhere else",
        &moved,
        &times(1, &["local_destination", "from_inside_pod"]),
    )?;
    let Greeting { peer, .. } = stage.application.json();
    tell.holds(
        format!("without a sidecar: the web application sees {WEB}"),
        &peer.ip(),
        &WEB.parse()?,
    )
}

fn because(tell: &mut Tell, stage: &Stage<'_>, arguments: &[&str], reason: &str) -> anyhow::Result<()> {
    let run = stage.interceptor(tell, &[&["explain"], arguments].concat())?;
    let named = run
        .stdout
        .rsplit_once('[')
        .and_then(|(_, rest)| rest.trim_end().strip_suffix(']'));
    tell.holds(format!("the reason is {reason}"), &named, &Some(reason))
}
