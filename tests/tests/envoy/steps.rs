// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What clients do, each told in one line that can be compared.

use testkit::{
    Launcher, Run,
    envoy::without_port,
    records::{Greeting, Report, Tally},
    timeout,
};

/// How a request ended, and whom the client saw.
const WRITE_OUT: &str = "%{http_code} HTTP/%{http_version} from %{remote_ip}:%{remote_port}";

/// `curl FLAGS URL`. Whom the application saw is part of its answer.
pub(crate) fn curl(client: &Launcher, flags: &[&str], url: &str) -> String {
    let run = curl_run(client, flags, url);
    let (answer, written) = run.stdout.rsplit_once('\n').unwrap_or(("", &run.stdout));
    let answer = match serde_json::from_str(answer) {
        Ok(greeting) => told(&greeting),
        Err(_) => answer.to_owned(),
    };
    format!("curl {} {url}: exit code {:?}, {written}; {answer}", flags.join(" "), run.code)
}

/// The same, without a look at the answer.
pub(crate) fn curl_only(client: &Launcher, flags: &[&str], url: &str) -> String {
    let run = curl_run(client, &[flags, &["--output", "/dev/null"]].concat(), url);
    format!("curl {} {url}: exit code {:?}, {}", flags.join(" "), run.code, run.stdout)
}

fn curl_run(client: &Launcher, flags: &[&str], url: &str) -> Run {
    let mut command = client.command("curl");
    // Only to be led astray by the way between.
    command.env_clear().env("PATH", "/usr/bin:/bin");
    // Less than the test waits for curl.
    let limit = (timeout() / 2).as_secs().to_string();
    command
        .args(["-q", "--silent", "--globoff", "--max-time", &limit, "--write-out", WRITE_OUT])
        .args(flags)
        .arg(url);
    Run::of(command)
}

/// Connects, and waits for the server to speak first.
pub(crate) fn listen_to(client: &Launcher, to: &str) -> String {
    connect(client, to, &[])
}

/// Connects, says a line, and waits for one.
pub(crate) fn say_to(client: &Launcher, to: &str, line: &str) -> String {
    connect(client, to, &["--send", line])
}

fn connect(client: &Launcher, to: &str, flags: &[&str]) -> String {
    let report = client.connect(to, &[&["--family", family_of(to)], flags].concat());
    let Report { peer, error, received, .. } = &report;
    let answer = received.as_ref().map(|_| told(&report.greeting()));
    format!("connect {to}: peer {peer:?}, error {error:?}, {answer:?}")
}

/// `interceptor-http ARGUMENTS`.
pub(crate) fn http(client: &Launcher, arguments: &[&str]) -> String {
    let mut command = client.http();
    command.args(arguments);
    let tally: Tally = Run::of(command).json();
    format!(
        "http {}: {} succeeded, {:?}",
        arguments.join(" "),
        tally.succeeded,
        tally.failed
    )
}

/// `--family`, for an address with its port.
pub(crate) fn family_of(address: &str) -> &'static str {
    if address.starts_with('[') { "6" } else { "4" }
}

fn told(greeting: &Greeting) -> String {
    let Greeting { name, uid, local, peer, original_destination, levels: _ } = greeting;
    let peer = without_port(&peer.to_string());
    // Of a connection that nobody redirected, connection tracking says what getsockname says anyway.
    let original_destination = original_destination.filter(|original| original != local);
    format!("{name} (uid {uid}) at {local} was called from {peer}, original destination {original_destination:?}")
}
