// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Connections of an application to its sidecar, in the pods that differ in nothing but how they are intercepted.

use super::{
    lab::{Lab, durations},
    outcome::{Better, Outcome, Unit},
    plan::{Contender, Plan},
};
use crate::{
    stage::MeasuredPod,
    stats::median,
    worker::{Destinations, Peer, Work},
};

/// A request and its response.
const REQUEST: usize = 64;
/// The contender that shows what is possible.
const UNIX: &str = "UNIX socket";
/// Fewer than may wait to be accepted.
const CONNECTS: (usize, usize) = (1_000, 3_000);

fn plan<'a>(name: &str, title: &str, unit: Unit, better: Better) -> Plan<'a> {
    Plan {
        name: name.to_owned(),
        title: title.to_owned(),
        unit,
        better,
        contenders: Vec::new(),
    }
}

pub(super) fn connect(lab: &mut Lab<'_>) -> anyhow::Result<Vec<Outcome>> {
    let count = lab.effort.pick(CONNECTS.0, CONNECTS.1);
    let to_one = lab.run_in_pods(
        plan("connect", "connect() to one destination", Unit::Nanoseconds, Better::Less),
        move |pod| {
            let to = Destinations::one(pod.server());
            Ok(durations(&pod.turn(Work::Connect { to, count })))
        },
    )?;
    let title = "connect() to 4,096 destinations in turn";
    let to_many = lab.run_in_pods(plan("connect-many", title, Unit::Nanoseconds, Better::Less), move |pod| {
        let to = pod.servers(4_096);
        Ok(durations(&pod.turn(Work::Connect { to, count })))
    })?;
    Ok(vec![to_one, to_many])
}

pub(super) fn request(lab: &mut Lab<'_>) -> anyhow::Result<Vec<Outcome>> {
    let count = lab.effort.pick(600, 2_000);
    let plan = plan("request", "connect, request, response, close", Unit::Nanoseconds, Better::Less);
    let outcome = lab.run_in_pods(plan, move |pod| {
        let to = Destinations::one(pod.server());
        Ok(durations(&pod.turn(Work::Request { to, count, size: REQUEST })))
    })?;
    Ok(vec![outcome])
}

pub(super) fn round_trips(lab: &mut Lab<'_>) -> anyhow::Result<Vec<Outcome>> {
    let sizes = [
        ("64", 64, (2_000, 8_000)),
        ("1k", 1_024, (2_000, 8_000)),
        ("16k", 16_384, (1_000, 4_000)),
        ("64k", 65_536, (400, 1_500)),
    ];
    let mut floor = lab.another_pod("pod-unix-round-trips")?;
    let experiment = |(name, size, (quick, full)): (&str, usize, (usize, usize))| {
        let count = lab.effort.pick(quick, full);
        let plan = plan(
            &format!("round-trip-{name}"),
            &format!("round trip of {}", bytes(size)),
            Unit::Nanoseconds,
            Better::Less,
        );
        beside_unix(lab, plan, &mut floor, move |pod, to| {
            Ok(durations(&pod.turn(Work::RoundTrips { to, count, size })))
        })
    };
    sizes.into_iter().map(experiment).collect()
}

pub(super) fn bulk(lab: &mut Lab<'_>) -> anyhow::Result<Vec<Outcome>> {
    let sizes = [("1k", 1_024, (16, 64)), ("16k", 16_384, (48, 192)), ("256k", 262_144, (48, 192))];
    let mut floor = lab.another_pod("pod-unix-bulk")?;
    let experiment = |(name, size, (quick, full)): (&str, usize, (usize, usize))| {
        let count = lab.effort.pick(quick, full) * (1 << 20) / size;
        let plan = plan(
            &format!("bulk-{name}"),
            &format!("bulk in writes of {}", bytes(size)),
            Unit::GigabitsPerSecond,
            Better::More,
        );
        beside_unix(lab, plan, &mut floor, move |pod, to| {
            let took = pod.turn(Work::Bulk { to, count, size });
            Ok(durations(&took)
                .into_iter()
                .map(|nanoseconds| bits(count * size) / nanoseconds)
                .collect())
        })
    };
    sizes.into_iter().map(experiment).collect()
}

/// Carries an experiment out in the usual pods, and by a UNIX socket in `floor`: no way that ends in two sockets of
/// two processes can be expected to do better.
fn beside_unix<'a>(
    lab: &mut Lab<'a>,
    plan: Plan<'_>,
    floor: &mut MeasuredPod<'a>,
    turn: impl Fn(&mut MeasuredPod<'a>, Peer) -> anyhow::Result<Vec<f64>> + Copy,
) -> anyhow::Result<Outcome> {
    let unix = Contender::new(UNIX, move || turn(floor, Peer::Unix));
    lab.run_in_pods(Plan { contenders: vec![unix], ..plan }, move |pod| {
        turn(pod, Peer::Server(pod.server()))
    })
}

pub(super) fn cpu(lab: &mut Lab<'_>) -> anyhow::Result<Vec<Outcome>> {
    let count = lab.effort.pick(600, 2_000);
    let title = "processor time of both ends for each request, on two processors";
    let outcome = lab.run_in_pods(plan("cpu", title, Unit::Nanoseconds, Better::Less), move |pod| {
        let to = Destinations::one(pod.server());
        let (client, server) = pod.turn_on_two(Work::Request { to, count, size: REQUEST });
        Ok(vec![share(client.cpu_ns + server.cpu_ns, count)])
    })?;
    Ok(vec![outcome])
}

pub(super) fn load(lab: &mut Lab<'_>) -> anyhow::Result<Vec<Outcome>> {
    /// How much of what the slowest can do at most.
    const LOAD: f64 = 0.6;
    let count = lab.effort.pick(600, 2_500);
    let request = move |pod: &mut MeasuredPod<'_>| Work::Request {
        to: Destinations::one(pod.server()),
        count: 500,
        size: REQUEST,
    };
    let slowest = lab.pods().map(|pod| {
        let work = request(pod);
        median(&durations(&pod.turn_on_two(work).0))
    });
    let per_second = (LOAD * 1e9 / slowest.fold(0.0, f64::max)).floor();
    let seed = lab.seed();
    let title = format!("requests at {per_second:.0} per second, each with a connection, on two processors");
    let outcome = lab.run_in_pods(plan("load", &title, Unit::Nanoseconds, Better::Less), move |pod| {
        let to = Destinations::one(pod.server());
        Ok(durations(
            &pod.turn_on_two(Work::Load { to, count, size: REQUEST, per_second, seed }).0,
        ))
    })?;
    Ok(vec![outcome])
}

/// As many connections at once as 1,024 ephemeral ports allow when each of them serves one connection to each
/// destination.
pub(super) fn many_open(lab: &mut Lab<'_>) -> anyhow::Result<Vec<Outcome>> {
    const PORTS: &str = "net.ipv4.ip_local_port_range";
    let count = 6_000;
    for pod in lab.pods() {
        pod.scene().pod.namespace().sysctl(PORTS, "32768 33791");
    }
    let title = "a connection, of 6,000 to 8 destinations held open over 1,024 ports";
    let outcome = lab.run_in_pods(plan("many-open", title, Unit::Nanoseconds, Better::Less), move |pod| {
        let to = pod.servers(8);
        let took = pod.hold(Work::ManyOpen { from: None, to, count }, || ());
        anyhow::ensure!(
            took.0.failed == 0,
            "{} of {count} connections failed in the pod of {}",
            took.0.failed,
            pod.variant
        );
        Ok(durations(&took.0)
            .into_iter()
            .map(|nanoseconds| nanoseconds / share(count as u64, 1))
            .collect())
    });
    for pod in lab.pods() {
        pod.scene().pod.namespace().sysctl(PORTS, "32768 60999");
    }
    Ok(vec![outcome?])
}

fn bytes(size: usize) -> String {
    if size < 1024 { format!("{size} B") } else { format!("{} KiB", size / 1024) }
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred megabytes")]
fn bits(bytes: usize) -> f64 {
    bytes as f64 * 8.0
}

#[expect(clippy::cast_precision_loss, reason = "seconds in nanoseconds, and thousands")]
fn share(total: u64, count: usize) -> f64 {
    total as f64 / count as f64
}
