// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Commands around the program itself: waiting for the sidecar, version, completions and manual pages.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener},
    process::{Command, Output, Stdio},
    thread,
};

use rstest::rstest;
use serde_json::Value;

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_interceptor"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("run interceptor")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

/// A server of HTTP that answers its requests with these lines, one after the other, and then ends.
fn serve(answers: &'static [&'static str]) -> (String, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
    let url = format!(
        "http://localhost:{}/healthz/ready",
        listener.local_addr().expect("its address").port()
    );
    let serving = thread::spawn(move || {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _peer) = listener.accept().expect("accept");
            let mut request = vec![0; 1024];
            let read = stream.read(&mut request).expect("read the request");
            requests.push(String::from_utf8_lossy(&request[..read]).into_owned());
            // A client that has seen enough may have closed already.
            stream.write_all(answer.as_bytes()).unwrap_or_default();
        }
        requests
    });
    (url, serving)
}

#[test]
fn wait_ends_when_the_sidecar_is_ready() {
    let (url, serving) =
        serve(&["HTTP/1.1 503 Service Unavailable\r\n\r\n", "no HTTP\r\n", "HTTP/1.1 200 OK\r\n\r\nLIVE"]);
    let waited = run(&["wait", "--url", &url, "--periodMillis", "1", "--requestTimeoutMillis", "30000"]);
    assert_eq!(waited.status.code(), Some(0), "{waited:?}");
    let requests = serving.join().expect("the server");
    assert!(
        requests
            .iter()
            .all(|request| request.starts_with("GET /healthz/ready HTTP/1.1\r\n")),
        "{requests:?}"
    );
}

#[test]
fn wait_asks_a_last_time_when_the_time_is_over() {
    let (url, serving) = serve(&["HTTP/1.1 503 Service Unavailable\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nLIVE"]);
    let flags = ["--timeoutSeconds", "1", "--periodMillis", "3600000", "--requestTimeoutMillis", "30000"];
    let waited = run(&[&["wait", "--url", &url], &flags[..]].concat());
    assert_eq!(waited.status.code(), Some(0), "{waited:?}");
    serving.join().expect("the server");
}

#[test]
fn wait_says_why_the_sidecar_was_not_ready_in_time() {
    let (url, serving) = serve(&["HTTP/1.1 503 Service Unavailable\r\n\r\n"]);
    let waited = run(&["wait", "--url", &url, "--timeoutSeconds", "0", "--requestTimeoutMillis", "30000"]);
    assert_eq!(waited.status.code(), Some(255), "{waited:?}");
    let said = stderr(&waited);
    assert!(
        said.contains("timeout waiting for Envoy proxy to become ready. Last error: "),
        "{said}"
    );
    assert!(said.contains("HTTP status code 503"), "{said}");
    serving.join().expect("the server");
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for_longer_than_asked() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
    let url = format!("http://127.0.0.1:{}", listener.local_addr().expect("its address").port());
    let waited = run(&["wait", "--url", &url, "--timeoutSeconds", "0", "--requestTimeoutMillis", "10"]);
    assert_eq!(waited.status.code(), Some(255), "{waited:?}");
    assert!(stderr(&waited).contains("did not answer within 10ms"), "{waited:?}");
}

#[rstest]
#[case::tls(&["wait", "--url", "https://localhost/"])]
#[case::no_period(&["wait", "--periodMillis", "0"])]
#[case::unknown_flag(&["wait", "--period", "1"])]
fn wrong_usage_of_wait_ends_as_pilot_agent_does(#[case] arguments: &[&str]) {
    assert_eq!(run(arguments).status.code(), Some(255));
}

#[test]
fn the_version_has_istios_keys() {
    let version = env!("CARGO_PKG_VERSION");
    let json: Value = serde_json::from_str(&stdout(&run(&["version", "--output", "json"]))).expect("JSON");
    let build = json["clientVersion"].as_object().expect("a build");
    let keys: Vec<&str> = build.keys().map(String::as_str).collect();
    assert_eq!(keys.len(), 5, "{keys:?}");
    for key in ["version", "revision", "golang_version", "status", "tag"] {
        assert!(build[key].as_str().is_some_and(|text| !text.is_empty()), "{key}");
    }
    assert_eq!(build["version"], version);
    let yaml = stdout(&run(&["version", "-o", "yaml"]));
    for (key, value) in build {
        assert!(yaml.contains(&format!("\n  {key}: {value}")), "{key}: {yaml}");
    }
    for arguments in [&["version", "--short"][..], &["version", "-s"], &["version", "-o", "short"]] {
        assert_eq!(stdout(&run(arguments)), format!("client version: {version}\n"));
    }
    assert!(stdout(&run(&["version"])).starts_with(&format!("client version: {version} (revision ")));
    assert_eq!(run(&["version", "-o", "xml"]).status.code(), Some(2));
}

#[rstest]
#[case::bash("bash", "complete -F _interceptor")]
#[case::zsh("zsh", "#compdef interceptor")]
#[case::fish("fish", "complete -c interceptor")]
#[case::powershell("powershell", "Register-ArgumentCompleter")]
fn each_shell_has_a_script_that_knows_the_commands(#[case] shell: &str, #[case] line: &str) {
    let printed = run(&["completion", shell]);
    assert_eq!(printed.status.code(), Some(0), "{printed:?}");
    let script = stdout(&printed);
    assert!(
        script.contains(line) && script.contains("unenroll") && script.contains("data-path"),
        "{script}"
    );
}

#[test]
fn bash_completes_with_the_script() {
    let script = stdout(&run(&["completion", "bash"]));
    let complete = "COMP_WORDS=(interceptor stat) COMP_CWORD=1; _interceptor interceptor stat interceptor; \
                    echo \"${COMPREPLY[*]}\"";
    let bash = Command::new("bash")
        .args(["-c", &format!("{script}\n{complete}")])
        .output()
        .expect("run bash");
    assert_eq!(stdout(&bash).trim(), "status", "{bash:?}");
}

#[test]
fn every_command_has_a_manual_page() {
    let work = tempfile::tempdir().expect("a directory");
    let directory = work.path().to_str().expect("a path");
    let written = run(&["man", directory]);
    assert_eq!(written.status.code(), Some(0), "{written:?}");
    for page in ["interceptor", "interceptor-enroll", "interceptor-render-iptables", "interceptor-wait"] {
        let text = fs::read_to_string(work.path().join(format!("{page}.1"))).expect("a page");
        assert!(text.contains(".TH") && text.contains(".SH NAME"), "{page}: {text}");
    }
    assert!(!work.path().join("interceptor-help.1").exists());
    let missing = run(&["man", &format!("{directory}/none")]);
    assert_eq!(missing.status.code(), Some(1), "{missing:?}");
    assert!(stderr(&missing).contains("/none/interceptor.1"), "{missing:?}");
}
