// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The flags: which are refused, and with what advice.

use rstest::rstest;

use super::{IMAGE, INJECTED, PLAIN, fail, succeed};

#[rstest]
#[case(&[])]
#[case(&["--image", "x"])]
fn a_file_has_to_be_named(#[case] arguments: &[&str]) {
    assert!(fail(2, arguments, "").contains("--filename <FILE>"));
}

#[rstest]
#[case(&["--meshConfigFile=x"], "--meshConfigFile")]
#[case(&["--valuesFile", "x"], "--valuesFile")]
#[case(&["--injectConfigMapName", "x"], "--injectConfigMapName")]
#[case(&["--meshConfigMapName", "x"], "--meshConfigMapName")]
#[case(&["--webhookConfig", "x"], "--webhookConfig")]
#[case(&["-i", "istio-system"], "--istioNamespace")]
#[case(&["-c", "kubeconfig"], "--kubeconfig")]
#[case(&["--context", "x"], "--context")]
#[case(&["--insecure"], "--insecure")]
#[case(&["--mode", "rewrite", "-r", "canary"], "--revision")]
#[case(&["--mode", "plain", "--injectConfigFile", "x"], "--injectConfigFile")]
fn flags_about_istios_template_are_refused_with_the_way_around(#[case] arguments: &[&str], #[case] flag: &str) {
    let stderr = fail(2, &[&["-f", "-"], arguments].concat(), INJECTED);
    assert!(
        stderr.contains(&format!("istioctl kube-inject {flag} … -f FILE | interceptor inject -f -")),
        "{stderr}"
    );
}

#[rstest]
#[case::mode(&["--mode", "x"], "write rewrite, istio or plain")]
#[case::no_mesh(&["--mode", "istio", "--meshConfigMapName="], "--meshConfigFile or --meshConfigMapName must be set")]
#[case::time(&["--mode", "istio", "--kubeclient-timeout", "15"], "such as 15s or 1m")]
#[case::operator(&["--operatorFileName", "x"], "--operatorFileName is not read")]
#[case::undo_of_istio(&["--mode", "istio", "--undo"], "--undo goes back from --mode rewrite only")]
#[case::undo_of_plain(&["--mode", "plain", "--undo"], "--undo goes back from --mode rewrite only")]
#[case::native_rewrite(&["--native-sidecars"], "--native-sidecars is about --mode istio and --mode plain")]
#[case::envoy_without_plain(&["--envoy-image", "x"], "--envoy-image is about --mode plain")]
#[case::plain_without_image(&["--mode", "plain", "--envoy-config", "x"], "needs --envoy-image and --envoy-config")]
#[case::plain_without_config(&["--mode", "plain", "--envoy-image", "x"], "needs --envoy-image and --envoy-config")]
#[case::plain_by_cni(&["--mode", "plain", "--data-path", "cni"], "needs --data-path init")]
#[case::plain_tproxy(&["--mode", "plain", "--tproxy"], "--tproxy is not for --mode plain")]
#[case::kind(&["--kind", "Rollout"], "argoproj.io/Rollout=spec.template")]
#[case::image(&["--image", "a b"], "without blanks")]
#[case::no_image(&["--image", ""], "without blanks")]
#[case::image_of_istio(&["--init-image", "x"], "--undo")]
#[case::both_ways(&["--undo", "--image", "x"], "cannot be used with")]
#[case::unknown(&["--nonsense"], "unexpected argument '--nonsense'")]
fn a_mistake_on_the_command_line_is_explained(#[case] arguments: &[&str], #[case] expected: &str) {
    let stderr = fail(2, &[&["-f", "-"], arguments].concat(), INJECTED);
    assert!(stderr.contains(expected), "{stderr}");
}

#[test]
fn another_kind_is_rewritten_on_demand() {
    let rollout = INJECTED
        .replace("apps/v1", "argoproj.io/v1alpha1")
        .replace("kind: Deployment", "kind: Rollout");
    let (stdout, stderr) = succeed(&["-f", "-"], &rollout);
    assert_eq!((stdout, stderr), (rollout.clone(), String::new()));
    let (_, stderr) = succeed(&["-f", "-", "--kind", "argoproj.io/Rollout=spec.template"], &rollout);
    assert_eq!(stderr, "interceptor: Rollout shop/web: rewritten\n");
}

#[test]
fn the_program_says_its_name_and_version() {
    let (stdout, _) = succeed(&["--version"], "");
    assert_eq!(stdout, format!("interceptor-inject {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn dry_run_writes_what_would_change_and_nothing_else() {
    let (stdout, stderr) = succeed(&["-f", "-", "--image", IMAGE, "--dry-run"], &format!("{PLAIN}---\n{INJECTED}"));
    assert!(stdout.starts_with("--- standard input\n+++ standard input\n@@ "), "{stdout}");
    assert!(
        stdout.contains("\n-          image: docker.io/istio/proxyv2:1.29.0   # Istio's\n"),
        "{stdout}"
    );
    assert!(
        stdout.contains("\n+          image: registry.example/interceptor:0.1   # Istio's\n"),
        "{stdout}"
    );
    assert!(!stdout.contains("name: plain"), "{stdout}");
    assert!(stderr.contains("Deployment shop/web: rewritten"), "{stderr}");
    assert_eq!(succeed(&["-f", "-", "--dry-run"], PLAIN).0, "");
    fail(2, &["-f", "-", "--dry-run", "-o", "out.yaml"], PLAIN);
}

#[test]
fn explain_says_which_rule_decided() {
    let (_, stderr) = succeed(&["-f", "-", "--explain"], &format!("{PLAIN}---\n{INJECTED}"));
    let lines: Vec<_> = stderr.lines().collect();
    assert!(lines[0].contains("Deployment plain: left alone"), "{stderr}");
    assert!(
        lines[2].starts_with("interceptor:   2. it has no init container istio-init"),
        "{stderr}"
    );
    assert!(lines[2].ends_with("this decided"), "{stderr}");
    assert!(lines[3].contains("Deployment shop/web: rewritten"), "{stderr}");
    assert!(lines.last().unwrap().ends_with("11. so it is rewritten"), "{stderr}");
}
