// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Much at once.

use std::env;

use testkit::{
    Launcher,
    envoy::{Case, Family, Mesh},
};

use crate::{
    compare::alike,
    steps::{curl, http},
};

/// How many mebibytes to download.
const VARIABLE: &str = "INTERCEPTOR_DOWNLOAD_MIB";
/// Enough to fill every buffer many times over.
const MEBIBYTES: usize = 128;

const REQUESTS: usize = 1000;

pub(crate) fn a_download_is_whole(case: &Case) {
    let text = env::var(VARIABLE).unwrap_or_else(|_| MEBIBYTES.to_string());
    let mebibytes: usize = text.parse().unwrap_or_else(|error| panic!("{VARIABLE}={text}: {error}"));
    let bytes = mebibytes * 1024 * 1024;
    let seen = alike(case, |mesh| {
        let download = |client: &Launcher, ip: &str, port: u16| {
            let url = format!("http://{}/bytes/{bytes}", Family::at(ip, port));
            curl(
                client,
                &["--output", "/dev/null", "--write-out", "%{http_code} %{size_download} bytes"],
                &url,
            )
        };
        let of_family = |family: &Family| {
            [
                download(&mesh.client.app(), family.service, 80),
                download(&mesh.outside.root(), family.server, Mesh::HTTP),
            ]
        };
        mesh.families().iter().flat_map(of_family).collect()
    });
    let whole = format!("exit code Some(0), 200 {bytes} bytes");
    assert!(seen.steps.iter().all(|step| step.contains(&whole)), "{:#?}", seen.steps);
}

pub(crate) fn many_requests_at_once_are_all_answered(case: &Case) {
    let count = REQUESTS.to_string();
    let seen = alike(case, |mesh| {
        let all = |family: &Family| {
            http(
                &mesh.client.app(),
                &["parallel", "--count", &count, &Family::at(family.service, 80)],
            )
        };
        mesh.families().iter().map(all).collect()
    });
    let all = format!(": {REQUESTS} succeeded, {{}}");
    assert!(seen.steps.iter().all(|step| step.contains(&all)), "{:#?}", seen.steps);
    let expected = REQUESTS * seen.steps.len();
    assert_eq!(
        [seen.client.len(), seen.server.len()],
        [expected; 2],
        "each is logged once by either sidecar"
    );
}
