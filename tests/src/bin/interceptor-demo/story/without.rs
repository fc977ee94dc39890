// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Before and after: the pods without Interceptor.

use testkit::records::Greeting;

use super::enroll::Sidecars;
use crate::{
    application::{APPLICATION, user_of},
    rules,
    stage::{CLIENT, PAGE, Stage, USER, WEB, WEB_USER, curl, netns},
    tell::Tell,
};

pub(super) fn before(tell: &mut Tell, stage: &mut Stage<'_>) -> anyhow::Result<()> {
    tell.step("Two pods on one cable")?;
    for (name, address, pod) in [("client", CLIENT, &stage.client), ("web", WEB, &stage.web)] {
        tell.say(format_args!(
            "pod {name}: {address}, {}, cgroup {}",
            netns(pod),
            pod.namespace().cgroup().display()
        ))?;
    }
    let pid = stage.application.pid();
    tell.holds(
        format!("a web application listens in the pod web: process {pid}, uid {WEB_USER}"),
        &user_of(pid),
        &Some(WEB_USER),
    )?;
    direct(tell, stage)
}

pub(super) fn after(tell: &mut Tell, stage: &mut Stage<'_>, sidecars: Sidecars) -> anyhow::Result<()> {
    tell.step("Cleaning up")?;
    for pod in [&stage.client, &stage.web] {
        stage.interceptor(tell, &["clean", "--netns", &netns(pod)])?;
    }
    let status = stage.interceptor(tell, &["status"])?;
    tell.holds("no pod is enrolled any more", status.stdout.as_str(), "No pod is enrolled")?;
    let pids = [sidecars.client.pid(), sidecars.web.pid()];
    drop(sidecars);
    tell.holds("both sidecars are ended", &pids.map(user_of), &[None, None])?;
    direct(tell, stage)?;
    for (name, pod) in [("client", &stage.client), ("web", &stage.web)] {
        rules::none(tell, pod, name)?;
    }
    Ok(())
}

fn direct(tell: &mut Tell, stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let run = curl(tell, &stage.client, "client")?;
    tell.holds(format!("curl of uid {USER} gets the page"), run.stdout.as_str(), PAGE)?;
    let Greeting { peer, local, .. } = stage.application.json();
    tell.holds(
        format!("directly: the web application sees the client's own address, {CLIENT}"),
        &peer.ip(),
        &CLIENT.parse()?,
    )?;
    tell.holds(format!("at {APPLICATION}"), &local, &APPLICATION.parse()?)
}
