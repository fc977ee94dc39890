// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command, started as a process: what it reads, what it writes where, and how it exits.

mod cluster;
mod flags;
mod help;
mod input;
mod istio;
mod plain;
mod streams;

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

const IMAGE: &str = "registry.example/interceptor:0.1";

/// A deployment that Istio injected, with comments and notations that a program which writes YAML anew would lose.
const INJECTED: &str = "\
# The shop's front end.
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 0x2   # two
  template:
    metadata:
      labels:
        app: 'web'
      annotations:
        sidecar.istio.io/status: '{\"revision\":\"default\"}' # by istiod
    spec:
      initContainers:
        # Sets up iptables.
        - name: istio-init
          image: docker.io/istio/proxyv2:1.29.0   # Istio's
          args: [istio-iptables, -p, '15001', -z, '15006', -u, '1337', -m, REDIRECT, -i, '*', -x, '', -b, '*']
          securityContext:
            capabilities:
              add:
              - NET_ADMIN
              - NET_RAW
              drop: [ALL]
      containers:
      - name: web
        command:
        - sh
        - -c
        - |
          exec web   # no comment

# The end.
";

/// What comes out for [`INJECTED`].
const REWRITTEN: &str = r#"# The shop's front end.
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 0x2   # two
  template:
    metadata:
      labels:
        app: 'web'
      annotations:
        sidecar.istio.io/status: '{"revision":"default"}' # by istiod
        interceptor.dev/istio-init: 'RECORD'
    spec:
      initContainers:
        # Sets up iptables.
        - name: istio-init
          image: registry.example/interceptor:0.1   # Istio's
          args: [istio-iptables, -p, '15001', -z, '15006', -u, '1337', -m, REDIRECT, -i, '*', -x, '', -b, '*']
          securityContext:
            capabilities:
              add:
              - BPF
              - NET_ADMIN
              - PERFMON
              drop: [ALL]
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            runAsGroup: 0
            runAsNonRoot: false
            runAsUser: 0
          env:
          - name: INTERCEPTOR_BPFFS
            value: /host/bpf
          volumeMounts:
          - mountPath: /host/bpf
            name: interceptor-bpffs
          - mountPath: /host/cgroup
            name: interceptor-cgroup
            readOnly: true
      containers:
      - name: web
        command:
        - sh
        - -c
        - |
          exec web   # no comment
      volumes:
      - hostPath:
          path: /sys/fs/bpf
          type: Directory
        name: interceptor-bpffs
      - hostPath:
          path: /sys/fs/cgroup
          type: Directory
        name: interceptor-cgroup

# The end.
"#;

/// What the annotation keeps.
const RECORD: &str = concat!(
    r#"{"image":"registry.example/interceptor:0.1","original":{"image":"docker.io/istio/proxyv2:1.29.0","#,
    r#""securityContext":{"capabilities":{"add":["NET_ADMIN","NET_RAW"],"drop":["ALL"]}}},"version":""#,
    env!("CARGO_PKG_VERSION"),
    r#""}"#
);

/// A deployment that Istio did not inject.
const PLAIN: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: plain
spec:
  template:
    spec:
      containers: []   # none
";

fn rewritten() -> String {
    REWRITTEN.replace("RECORD", RECORD)
}

/// Runs the command on `stdin`.
fn inject(arguments: &[&str], stdin: &str) -> Output {
    run(Command::new(env!("CARGO_BIN_EXE_interceptor-inject")), arguments, stdin)
}

fn run(mut command: Command, arguments: &[&str], stdin: &str) -> Output {
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command starts");
    // The command may end without having read everything.
    let _written = child
        .stdin
        .take()
        .expect("standard input is a pipe")
        .write_all(stdin.as_bytes());
    child.wait_with_output().expect("the command ends")
}

/// Standard output and standard error of a run that has to succeed.
fn succeed(arguments: &[&str], stdin: &str) -> (String, String) {
    let output = inject(arguments, stdin);
    let texts = texts(&output);
    assert_eq!(output.status.code(), Some(0), "{texts:?}");
    texts
}

/// Standard error of a run that has to fail with a status, and to write nothing.
fn fail(status: i32, arguments: &[&str], stdin: &str) -> String {
    let output = inject(arguments, stdin);
    let (stdout, stderr) = texts(&output);
    assert_eq!((output.status.code(), stdout.as_str()), (Some(status), ""), "{stderr}");
    stderr
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("the command writes UTF-8");
    (text(&output.stdout), text(&output.stderr))
}

fn shown(path: &Path) -> &str {
    path.to_str().expect("the path is UTF-8")
}
