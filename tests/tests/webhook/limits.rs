// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What others may send without an effect on the pods of the cluster.

use std::net::TcpStream;

use testkit::{timeout, wait_until};

use crate::{lab::Webhook, reviews};

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
