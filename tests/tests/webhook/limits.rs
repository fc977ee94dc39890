// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What others may send without an effect on the pods of the cluster.

use std::net::{Ipv4Addr, TcpStream};

use testkit::{timeout, wait_until};

use crate::{
    client::{Client, tcp_from},
    lab::Webhook,
    reviews,
};

const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn a_body_of_more_than_six_mebibytes_is_too_large_whether_announced_or_not() {
    let webhook = Webhook::start();
    let mut client = webhook.connect();
    client.head("POST", "/inject", &[JSON, ("content-length", "7340032")]);
    assert_eq!(client.answer().status, 413);

    // No byte more than the webhook reads: it closes then.
    let mut client = webhook.connect();
    client.head("POST", "/inject", &[JSON, ("transfer-encoding", "chunked")]);
    let chunk = format!("100000\r\n{}\r\n", "x".repeat(1 << 20));
    for _ in 0..6 {
        client.send(chunk.as_bytes());
    }
    client.send(b"1\r\nx\r\n");
    assert_eq!(client.answer().status, 413);
    webhook.expect_alive();
}

#[test]
fn a_body_without_an_announced_length_is_read() {
    let webhook = Webhook::start();
    let mut client = webhook.connect();
    client.head("POST", "/inject", &[JSON, ("transfer-encoding", "chunked")]);
    let body = reviews::of("v1", &reviews::pod()).to_string();
    client.send(format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).as_bytes());
    assert_eq!(client.answer().status, 200);
}

#[test]
fn a_pod_with_three_thousand_variables_is_rewritten() {
    let webhook = Webhook::start();
    let pod = reviews::pod_of(3000 * 100);
    let answer = webhook.review(&reviews::of("v1", &pod));
    assert_eq!(answer["response"]["patchType"], "JSONPatch");
}

#[test]
fn depth_and_number_of_values_are_bounded() {
    let webhook = Webhook::start();
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(webhook.post("application/json", &deep).status, 400);
    let many = format!("[{}0]", "{\"\":0},".repeat(500_000));
    assert_eq!(webhook.post("application/json", &many).status, 413);
    webhook.expect_alive();
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let webhook = Webhook::start_with(&["--body-timeout", "1"]);
    let mut client = webhook.connect();
    client.head("POST", "/inject", &[JSON, ("content-length", "100")]);
    assert_eq!(client.answer().status, 408);
    webhook.expect_alive();
}

#[test]
fn a_crowd_of_silent_peers_does_not_keep_the_api_server_out() {
    let webhook = Webhook::start();
    let silent: Vec<TcpStream> = (0..600)
        .map(|_| TcpStream::connect_timeout(&webhook.reviews, timeout()).expect("connect"))
        .collect();
    webhook.expect_alive();
    let pid = webhook.process.pid();
    let descriptors = || std::fs::read_dir(format!("/proc/{pid}/fd")).expect("list").count();
    wait_until("the crowd has no descriptors of the webhook", || descriptors() < 300);
    drop(silent);
    webhook.expect_alive();
}

/// The bodies would be waited for as long as this test lasts.
#[test]
fn a_peer_that_sends_slowly_takes_no_place_from_another() {
    let webhook = Webhook::start();
    let from_elsewhere = || {
        let stream = tcp_from(Ipv4Addr::new(127, 0, 0, 2), webhook.reviews);
        Client::over(stream, &webhook.authority.certificate)
    };
    // More than there are places, for small bodies and for those of a length that is not announced.
    let mut small: Vec<Client> = (0..80).map(|_| from_elsewhere()).collect();
    let mut large: Vec<Client> = (0..20).map(|_| from_elsewhere()).collect();
    for client in &mut small {
        client.head("POST", "/inject", &[JSON, ("content-length", "1000")]);
    }
    for client in &mut large {
        client.head("POST", "/inject", &[JSON, ("transfer-encoding", "chunked")]);
    }
    // Those of the same peer gave way, the first of them first.
    assert_eq!(small[0].answer().status, 503);
    assert_eq!(large[0].answer().status, 503);
    webhook.expect_alive();
    let large_pod = reviews::of("v1", &reviews::pod_of(400_000));
    assert_eq!(webhook.review(&large_pod)["response"]["patchType"], "JSONPatch");
    // A slow request of another peer keeps its place while the others go on.
    let mut modest = webhook.connect();
    let body = reviews::of("v1", &reviews::pod()).to_string();
    let (first, rest) = body.split_at(100);
    modest.head(
        "POST",
        "/inject",
        &[JSON, ("connection", "close"), ("content-length", &body.len().to_string())],
    );
    modest.send(first.as_bytes());
    let mut more: Vec<Client> = (0..40).map(|_| from_elsewhere()).collect();
    for client in &mut more {
        client.head("POST", "/inject", &[JSON, ("content-length", "1000")]);
    }
    wait_until("places are lost", || {
        let metrics = webhook.get("/metrics").body;
        let lost = metrics.lines().find_map(|line| line.strip_prefix(LOST));
        lost.is_some_and(|lost| lost.parse::<u32>().is_ok_and(|lost| lost >= 16 + 16 + 40))
    });
    modest.send(rest.as_bytes());
    assert_eq!(modest.answer().status, 200);
}

const LOST: &str = "interceptor_webhook_refused_requests_total{status=\"503\"} ";
