// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A web server that speaks TLS: OpenSSL's own.

use std::fs;

use crate::{interceptor::Run, launcher::Launcher, node::Node, process::Process};

/// Serves on `addresses`, which are `10.0.0.1:8443` or `[fd99::1]:8443`, with a certificate that nobody has signed.
pub(super) fn serve(node: &Node, name: &str, launcher: &Launcher, addresses: &[String]) -> Vec<Process> {
    let [key, certificate] =
        ["key", "certificate"].map(|what| node.work().join(format!("{name}-{what}.pem")).display().to_string());
    let curve = "ec_paramgen_curve:P-256";
    let request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", curve, "-nodes", "-subj", "/CN=web", "-days", "2"];
    Run::of_line(&[&["openssl"], &request[..], &["-keyout", &key, "-out", &certificate]].concat()).expect_success();
    // The server is another user, and the key is worth nothing.
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("let everyone read the key");
    let one = |address: &String| {
        let mut command = launcher.command("openssl");
        command.args(["s_server", "-www", "-accept", address, "-key", &key, "-cert", &certificate]);
        let mut server = Process::spawn(format!("openssl s_server on {address}"), &mut command);
        while server.line() != "ACCEPT" {}
        server
    };
    addresses.iter().map(one).collect()
}
