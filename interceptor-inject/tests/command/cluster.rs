// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The mode `istio` with a cluster: what is asked of `interceptor-webhook`, which a script plays here.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::{IMAGE, run, texts};

const POD: &str = "\
apiVersion: v1
kind: Pod
metadata:
  name: web   # of the shop
spec:
  containers:
  - name: web
    image: shop/web
";

/// The command with a script beside it, which is asked. The folder goes with the value.
struct Beside(TempDir);

impl Beside {
    fn new(script: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("interceptor-inject");
        fs::hard_link(env!("CARGO_BIN_EXE_interceptor-inject"), &program)
            .or_else(|_other_file_system| fs::copy(env!("CARGO_BIN_EXE_interceptor-inject"), &program).map(drop))
            .expect("put the command into a folder");
        if let Some(script) = script {
            let path = folder.path().join("interceptor-webhook");
            let log = folder.path().join("log");
            let text = format!(
                "#!/bin/sh\nquestion=$(cat)\necho \"$* $question\" >> '{}'\n{script}\n",
                log.display()
            );
            fs::write(&path, text).expect("write a script");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("make it a program");
        }
        Self(folder)
    }

    fn inject(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let command = Command::new(self.0.path().join("interceptor-inject"));
        let output = run(command, &[&["-f", "-", "--mode", "istio"], arguments].concat(), POD);
        let (stdout, stderr) = texts(&output);
        (output.status.code(), stdout, stderr)
    }

    /// Arguments and questions, a line each.
    fn asked(&self) -> Vec<String> {
        let log = fs::read_to_string(self.0.path().join("log")).expect("read the log");
        log.lines().map(str::to_owned).collect()
    }
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/istio/config").join(name)
}

/// Says that there is an injector, and answers reviews with a patch that adds `istio-init`, in base64.
const INJECTOR: &str = r#"case "$question" in
*'"injector":{"revision"'*) echo '{"name":"x","clientConfig":{"url":"https://istiod.example/inject"}}' ;;
*'"review":{'*) echo '{"response":{"uid":"interceptor-inject","allowed":true,"patch":"'"$(printf '%s' \
  '[{"op":"add","path":"/spec/initContainers","value":[{"name":"istio-init","image":"istio",'\
'"args":["istio-iptables","-p","15001"]}]}]' \
  | base64 -w0)"'"}}' ;;
esac"#;

#[test]
fn the_injector_of_the_cluster_is_asked_and_its_pod_is_rewritten() {
    let beside = Beside::new(Some(INJECTOR));
    let flags = ["--image", IMAGE, "--context", "test", "-c", "a file", "--as", "me", "--as-group", "us"];
    let (code, stdout, stderr) = beside.inject(&flags);
    assert_eq!((code, stderr.as_str()), (Some(0), "interceptor: Pod web: injected\n"));
    assert!(
        stdout.contains("name: web   # of the shop") && stdout.contains(IMAGE),
        "{stdout}"
    );
    assert!(stdout.contains("/host/bpf"), "{stdout}");
    let asked = beside.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
    let arguments = format!(
        "ask --for-version={} --patience=15 --kubeconfig=a file --context=test --as=me --as-group=us {{",
        env!("CARGO_PKG_VERSION")
    );
    assert!(asked.iter().all(|line| line.starts_with(&arguments)), "{asked:?}");
    assert!(asked[0].contains(r#"{"injector":{"revision":"default"}}"#), "{asked:?}");
    assert!(asked[1].contains(r#""url":"https://istiod.example/inject""#), "{asked:?}");
}

#[test]
fn without_an_injector_and_without_files_the_config_maps_of_the_revision_are_read() {
    let map = |files: &[(&str, &str)]| {
        let data: serde_json::Map<_, _> = files
            .iter()
            .map(|(key, file)| ((*key).to_owned(), fs::read_to_string(data(file)).expect("read").into()))
            .collect();
        serde_json::json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": data }).to_string()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let [injection, mesh] = ["injection", "mesh"].map(|name| folder.path().join(name));
    fs::write(&injection, map(&[("config", "inject-config.yaml"), ("values", "values.json")])).expect("write");
    fs::write(&mesh, map(&[("mesh", "mesh.yaml")])).expect("write");
    let script = format!(
        r#"case "$question" in
*'"injector":{{"revision"'*) echo null ;;
*'istio-sidecar-injector-canary'*) cat '{}' ;;
*'"istio-canary"'*) cat '{}' ;;
esac"#,
        injection.display(),
        mesh.display()
    );
    let beside = Beside::new(Some(&script));
    let (code, stdout, stderr) = beside.inject(&["-r", "canary", "-i", "mesh-system", "--image", IMAGE]);
    assert_eq!((code, stderr.as_str()), (Some(0), "interceptor: Pod web: injected\n"));
    assert!(
        stdout.contains("istio.io/rev: canary") && stdout.contains("interceptor-bpffs"),
        "{stdout}"
    );
    let asked = beside.asked().join("\n");
    assert!(
        asked.contains(r#""namespace":"mesh-system""#) && asked.contains(r#""revision":"canary""#),
        "{asked}"
    );

    // What a file says, no cluster is asked about.
    let beside = Beside::new(Some(&script));
    let inject = format!("--injectConfigFile={}", data("inject-config.yaml").display());
    let mesh = format!("--meshConfigFile={}", data("mesh.yaml").display());
    let (code, _, stderr) = beside.inject(&["-r", "canary", &inject, &mesh]);
    assert_eq!(code, Some(0), "{stderr}");
    let asked = beside.asked();
    assert!(
        asked.len() == 1 && asked[0].contains("istio-sidecar-injector-canary"),
        "{asked:?}"
    );
}

#[test]
fn files_without_an_effect_are_refused() {
    let beside = Beside::new(Some(INJECTOR));
    let (code, stdout, stderr) = beside.inject(&["--native-sidecars"]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(
        stderr.contains("--native-sidecars has no effect on Istio's injector in the cluster"),
        "{stderr}"
    );
}

#[test]
fn a_cluster_that_cannot_be_asked_fails_the_command_with_the_files_that_make_it_unnecessary() {
    let beside = Beside::new(Some("echo 'interceptor: error: no such context' >&2; exit 1"));
    let (code, stdout, stderr) = beside.inject(&[]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    let expected = "interceptor: error: --injectConfigFile, --meshConfigFile, --valuesFile are not given, and the \
                    cluster cannot be asked: no such context\n";
    assert_eq!(stderr, expected);

    let (code, stdout, stderr) = Beside::new(None).inject(&[]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(
        stderr.contains("interceptor-webhook, which asks clusters; put it beside this program"),
        "{stderr}"
    );
}
