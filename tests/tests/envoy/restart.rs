// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sidecars come and go under load: what fails is what fails under Istio's rules, too.

use testkit::{
    Backend, Node, Process,
    envoy::{Case, Envoy, Family, Mesh, Mode, Side, Start},
    records::Tally,
    wait_until,
};

use crate::{
    compare::{alike, expect_acceleration},
    steps::{curl, family_of},
};

const SIDES: [Side; 2] = [Side::Client, Side::Server];

/// What the other pod's sidecar tells a client of a connection that ends with a sidecar.
const BROKEN_OFF_BEHIND: &str = "status:503";
const REFUSED: &str = "connect:ECONNREFUSED";

pub(crate) fn a_killed_sidecar_is_not_bypassed(case: &Case) {
    under_load(
        case,
        Start::Alone,
        &[&Tally::BROKEN_OFF[..], &[BROKEN_OFF_BEHIND, REFUSED]].concat(),
        |mesh, family, backend| {
            for side in SIDES {
                mesh.take(side).kill();
                let (client, url) = match side {
                    Side::Client => (mesh.client.app(), to_service(family)),
                    Side::Server => (mesh.outside.root(), to_pod(family)),
                };
                // The rules of TPROXY drop what nobody listens for. Everywhere else curl is refused, however long it
                // takes. Of curl's exit codes, 28 means that it was not answered in time, and 7 that it cannot
                // connect.
                let dropped = side == Side::Server && case.mode == Mode::Tproxy && backend == Backend::Iptables;
                let (flags, sign): (&[&str], _) = if dropped {
                    (&["--max-time", "2"], "exit code Some(28)")
                } else {
                    (&[], "exit code Some(7)")
                };
                let step = curl(&client, flags, &url);
                assert!(step.contains(sign), "{backend}: {step}");
                mesh.start(side, Start::Alone);
            }
        },
    );
}

/// Nobody is refused at any time, for one of the two always listens.
pub(crate) fn a_second_sidecar_joins_the_first(case: &Case) {
    under_load(
        case,
        Start::Alone,
        &[&Tally::BROKEN_OFF[..], &[BROKEN_OFF_BEHIND]].concat(),
        |mesh, _, _| {
            for side in SIDES {
                let first = mesh.start(side, Start::Alone).expect("one before it");
                more_requests(mesh.envoy(side));
                first.stop();
                more_requests(mesh.envoy(side));
            }
        },
    );
}

/// Each takes over the very sockets of the one before it.
pub(crate) fn a_hot_restart_loses_nothing(case: &Case) {
    under_load(case, Start::First, &[], |mesh, _, _| {
        for (side, epoch) in SIDES.into_iter().flat_map(|side| [(side, 1), (side, 2)]) {
            let base = mesh.envoy(side).base().expect("one that can be taken over from");
            let before = mesh.start(side, Start::After { base, epoch }).expect("one before it");
            before.finish();
            more_requests(mesh.envoy(side));
        }
    });
}

/// Connections that are there go on, others are refused until somebody else listens.
pub(crate) fn a_drained_sidecar_takes_no_more(case: &Case) {
    let seen = alike(case, |mesh| {
        let family = mesh.families()[0];
        let to = Family::at(family.service, Mesh::TCP);
        let mut held = mesh.client.app().hold(&to, &["--family", family_of(&to)]);
        let mut steps = vec![format!("{:?}", held.report().error)];
        mesh.envoy(Side::Client).drain();
        steps.push(format!("{:?}", held.try_echo("still there")));
        steps.push(curl(&mesh.client.app(), &[], &to_service(&family)));
        let drained = mesh.start(Side::Client, Start::Alone).expect("the drained one");
        steps.push(curl(&mesh.client.app(), &[], &to_service(&family)));
        steps.push(format!("{:?}", held.try_echo("still there")));
        drained.stop();
        steps.push(curl(&mesh.client.app(), &[], &to_service(&family)));
        steps
    });
    let signs = ["None", r#"Ok("still there")"#, "exit code Some(7)", "200 HTTP", r#"Ok("still there")"#, "200 HTTP"];
    assert!(
        seen.steps.iter().zip(signs).all(|(step, sign)| step.contains(sign)),
        "{:#?}",
        seen.steps
    );
}

/// Tells `story` under either backend while requests keep coming. Requests succeed before, meanwhile and afterward,
/// and those that do not fail in one of the `permitted` ways.
fn under_load(case: &Case, start: Start, permitted: &[&str], story: impl Fn(&mut Mesh<'_>, &Family, Backend)) {
    for backend in Backend::ALL {
        let node = Node::new();
        let mut mesh = Mesh::with_start(&node, "mesh", case, backend, start);
        let family = mesh.families()[0];
        let app = mesh.client.app();
        let load = [
            load(&app, &Family::at(family.service, 80)),
            load(&mesh.outside.root(), &Family::at(family.server, Mesh::HTTP)),
        ];
        more_requests_everywhere(&mesh);
        story(&mut mesh, &family, backend);
        more_requests_everywhere(&mesh);
        for (load, what) in load.into_iter().zip(["outbound", "inbound"]) {
            let Tally { succeeded, failed } = tally(load);
            assert!(succeeded > 0, "{backend}, {what}: {failed:?}");
            let unexpected: Vec<_> = failed
                .iter()
                .filter(|(failure, _)| !permitted.contains(&failure.as_str()))
                .collect();
            assert!(
                unexpected.is_empty(),
                "{backend}, {what}: {succeeded} succeeded, {unexpected:?}"
            );
        }
        let steps = [curl(&app, &[], &to_service(&family)), curl(&mesh.outside.root(), &[], &to_pod(&family))];
        assert!(steps.iter().all(|step| step.contains("200 HTTP")), "{backend}: {steps:#?}");
        if backend == Backend::Ebpf {
            expect_acceleration(&node, case);
        }
    }
}

fn more_requests_everywhere(mesh: &Mesh<'_>) {
    for side in SIDES {
        more_requests(mesh.envoy(side));
    }
}

/// Waits until it has taken requests that it had not before.
fn more_requests(envoy: &Envoy) {
    let before = envoy.requests();
    wait_until("the sidecar takes requests", || envoy.requests() > before);
}

fn load(client: &testkit::Launcher, to: &str) -> Process {
    let mut command = client.http();
    command.args(["load", to]);
    Process::spawn(format!("load on {to}"), &mut command)
}

fn tally(mut load: Process) -> Tally {
    load.close_stdin();
    load.json()
}

fn to_service(family: &Family) -> String {
    format!("http://{}/", Family::at(family.service, 80))
}

fn to_pod(family: &Family) -> String {
    format!("http://{}/", Family::at(family.server, Mesh::HTTP))
}
