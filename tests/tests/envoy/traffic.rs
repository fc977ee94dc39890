// SPDX-License-Identifier: Apache-2.0 OR MIT
//! All protocols, in all directions.

use testkit::envoy::{Case, Family, Line, Mesh, Mode};

use crate::{
    compare::{Seen, alike},
    steps::{curl, curl_only, http, listen_to},
};

pub(crate) fn is_logged_alike(case: &Case) {
    let seen = alike(case, |mesh| {
        let families = mesh.families();
        families
            .iter()
            .flat_map(|family| [of_the_client(mesh, family), of_others(mesh, family)].concat())
            .collect()
    });
    for family in Family::of(case.variant.stack) {
        expect_both_sidecars(&seen, &family, case.mode);
    }
    expect_answers(&seen);
}

fn of_the_client(mesh: &Mesh<'_>, family: &Family) -> Vec<String> {
    let app = mesh.client.app();
    let service = |port| Family::at(family.service, port);
    let server = |port| Family::at(family.server, port);
    let url = |address: String, path: &str| format!("http://{address}{path}");
    let name = family.name();
    let resolve = format!("{name}:443:{}", family.service);
    vec![
        curl(&app, &["--http1.1"], &url(service(80), "/http1-to-the-service")),
        curl(&app, &["--http1.1"], &url(server(Mesh::HTTP), "/http1-to-the-pod")),
        curl(&app, &["--http2-prior-knowledge"], &url(service(80), "/http2-to-the-service")),
        curl(
            &app,
            &["--http2-prior-knowledge"],
            &url(server(Mesh::HTTP), "/http2-to-the-pod"),
        ),
        curl(&app, &[], &url(server(Mesh::UNDECLARED), "/port-that-nobody-declared")),
        http(&app, &["echo", "--count", "100", &service(80)]),
        http(&app, &["upgrade", "--count", "100", &service(80)]),
        curl_only(&app, &["--insecure", "--resolve", &resolve], &format!("https://{name}/")),
        curl_only(&app, &["--insecure"], &format!("https://{}/", server(Mesh::TLS))),
        listen_to(&app, &service(Mesh::TCP)),
        listen_to(&app, &server(Mesh::TCP)),
        curl(&app, &[], &url(Family::at(family.outside, Mesh::HTTP), "/outside")),
        listen_to(&app, &Family::at(family.outside, Mesh::TCP)),
        curl(&app, &[], &url(server(8082), "/nobody-listens")),
        curl(&app, &[], &url(Family::at(family.client, Mesh::HTTP), "/own-pod")),
        curl(&app, &[], &url(Family::at(family.own_service, 80), "/own-service")),
    ]
}

/// By those without a sidecar, or past it.
fn of_others(mesh: &Mesh<'_>, family: &Family) -> Vec<String> {
    let outside = mesh.outside.root();
    let proxy = mesh.client.proxy();
    let server = |port| Family::at(family.server, port);
    let url = |path: &str| format!("http://{}{path}", server(Mesh::HTTP));
    vec![
        curl(&outside, &[], &url("/from-outside")),
        curl(&outside, &["--http2-prior-knowledge"], &url("/http2-from-outside")),
        http(&outside, &["upgrade", "--count", "100", &server(Mesh::HTTP)]),
        curl_only(&outside, &["--insecure"], &format!("https://{}/", server(Mesh::TLS))),
        listen_to(&outside, &server(Mesh::TCP)),
        curl(&outside, &[], &format!("http://{}/nobody-listens", server(8082))),
        // Ports of the sidecar's that are not intercepted; nobody listens there.
        listen_to(&outside, &server(15021)),
        curl(&proxy, &[], &url("/from-the-sidecar")),
    ]
}

/// The same cannot mean: wrong in the same way.
fn expect_both_sidecars(seen: &Seen, family: &Family, mode: Mode) {
    let v6 = family.client.contains(':');
    let at = |ip: &str, port: &str| if v6 { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") };
    let (loopback, passthrough) = if v6 { ("::1", "::6") } else { ("127.0.0.1", "127.0.0.6") };
    let path = "/http1-to-the-service";
    let line = line_of(&seen.client, path, &at(family.service, "80"));
    assert_eq!(line.direct_local, Some(at(loopback, "15001")), "{line:?}");
    assert_eq!(line.direct_peer, Some(at(family.client, "*")), "{line:?}");
    assert_eq!(line.upstream_local, Some(at(family.client, "*")), "{line:?}");
    assert_eq!(line.status, Some(200), "{line:?}");
    let line = line_of(&seen.server, path, &at(family.server, "8080"));
    let (local, source) = match mode {
        Mode::Redirect => (at(family.server, "15006"), at(passthrough, "*")),
        Mode::Tproxy => (at(family.server, "8080"), at(family.client, "*")),
    };
    assert_eq!(line.direct_local, Some(local), "{line:?}");
    assert_eq!(line.direct_peer, Some(at(family.client, "*")), "{line:?}");
    assert_eq!(line.upstream_local, Some(source), "{line:?}");
    assert_eq!(line.upstream_remote, Some(at(family.server, "8080")), "{line:?}");
}

fn line_of<'seen>(lines: &'seen [Line], path: &str, original_destination: &str) -> &'seen Line {
    let is_it = |line: &&Line| {
        line.path.as_deref() == Some(path) && line.original_destination.as_deref() == Some(original_destination)
    };
    lines
        .iter()
        .find(is_it)
        .unwrap_or_else(|| panic!("no line about {path} to {original_destination} in {lines:#?}"))
}

/// Every step but those that nobody answers.
fn expect_answers(seen: &Seen) {
    let unanswered = |step: &&String| [":8082/", ":15021:"].iter().any(|port| step.contains(port));
    for step in seen.steps.iter().filter(|step| !unanswered(step)) {
        let good = ["exit code Some(0), 200 HTTP", "error None", ": 100 succeeded, {}"]
            .iter()
            .any(|sign| step.contains(sign));
        assert!(good, "{step}");
    }
}
