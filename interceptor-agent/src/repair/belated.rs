// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Intercepting a pod that runs already. It is found without the runtime, whose plugin was not asked.

use std::time::Duration;

use interceptor::{Cgroup, EnrollError, namespaces::processes};
use interceptor_config::kubernetes::{Decision, decide};
use interceptor_wire as wire;
use tokio::{task::spawn_blocking, time::Instant};

use super::members;
use crate::{
    enrollments::{Candidate, Intercepted, REPAIRED, State},
    pods::{Current, uid_on_the_node},
    turns::{TurnError, Turns},
};

/// How long a pod may wait for its turn.
const PATIENCE: Duration = Duration::from_mins(1);
/// The interface that the runtime gives to a pod.
const INTERFACE: &str = "eth0";

/// What became of a pod that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Belated {
    Enrolled,
    /// It is intercepted already, or nobody would intercept it.
    NothingToDo,
    /// Its network namespace was not found.
    NotFound,
}

/// Intercepts a pod, unless it is intercepted. The error is a text for the log.
pub(crate) async fn enroll(turns: &Turns, current: &Current) -> Result<Belated, String> {
    let Ok(Decision::Intercept { wanted, .. }) = decide(&current.pod) else {
        return Ok(Belated::NothingToDo); // the plugin would not intercept it either
    };
    let addresses = current.status.addresses();
    let uid = uid_on_the_node(&current.pod).to_owned();
    let found = spawn_blocking(move || members::find(processes(), &uid, &addresses)).await;
    let found = match found {
        Ok(Ok(Some(found))) => found,
        Ok(Ok(None)) => return Ok(Belated::NotFound),
        Ok(Err(error)) => return Err(format!("{error:#}")),
        Err(_panicked) => return Err("a fault of the agent".to_owned()),
    };
    let pod = current.name();
    let pod = pod.parse().map_err(|error: &str| format!("{pod}: {error}"))?;
    let attachment = attachment(current, &found.cgroup)?;
    let sandbox = attachment.container_id.to_string();
    let prepared = turns.look(move |enrollments| {
        let clone = found.netns.try_clone().map_err(anyhow::Error::from)?;
        match enrollments.state(clone)? {
            State::Complete | State::Missing(_) | State::OtherRules(_) => Ok(None),
            State::Absent => {
                let cgroup = Some(found.cgroup.try_clone_to_owned()?);
                let candidate = Candidate { attachment, pod, netns: found.netns, cgroup, wanted: *wanted };
                enrollments.prepare(&candidate).map(Some)
            }
        }
    });
    let intercepted = match flat(prepared.await) {
        Ok(None) => return Ok(Belated::NothingToDo),
        Ok(Some(ready)) => {
            let deadline = Instant::now() + PATIENCE;
            flat(turns.take(deadline, move |enrollments| enrollments.intercept(ready)).await)
        }
        Err(error) => Err(error),
    };
    if intercepted.is_err() {
        turns.give_up(&sandbox);
    }
    Ok(match intercepted? {
        Intercepted::Enrolled(_) | Intercepted::Rules(_) => Belated::Enrolled,
        Intercepted::Skipped(_) => Belated::NothingToDo,
    })
}

fn flat<T>(done: Result<Result<T, EnrollError>, TurnError>) -> Result<T, String> {
    let done = done.map_err(|error| error.to_string())?;
    done.map_err(|error| format!("{:#}", anyhow::Error::new(error)))
}

/// What the plugin would have said of the pod. Nobody but the runtime knows the name of its sandbox.
fn attachment(current: &Current, cgroup: &Cgroup) -> Result<wire::Attachment, String> {
    let uid = uid_on_the_node(&current.pod);
    let bad = |error: wire::BadName| error.to_string();
    Ok(wire::Attachment {
        container_id: format!("{REPAIRED}{uid}").parse().map_err(bad)?,
        ifname: INTERFACE.parse().map_err(bad)?,
        netns_path: None,
        pod: Some(wire::Pod {
            namespace: current.pod.metadata.namespace.parse().map_err(bad)?,
            name: current.pod.metadata.name.parse().map_err(bad)?,
            uid: Some(uid.parse().map_err(bad)?),
        }),
        cgroup_path: Some(cgroup.path().display().to_string()),
        ips: current.status.addresses(),
    })
}
