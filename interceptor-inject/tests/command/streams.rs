// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What comes out of a stream of documents: what changes, what stays byte for byte, and when nothing comes out.

use proptest::{prelude::*, sample::select};

use super::{IMAGE, INJECTED, PLAIN, fail, inject, rewritten, succeed, texts};

const FROM_STDIN: &[&str] = &["-f", "-", "--image", IMAGE];

/// Documents that are not rewritten.
const OTHERS: &[&str] = &[
    PLAIN,
    "",
    "# only a comment\n",
    "apiVersion: v1\nkind: ConfigMap\ndata: {\"a\":   \"b\"} # odd\n\n\n",
    "{\"apiVersion\": \"v1\",\r\n \"kind\": \"Service\"}\r\n",
    "apiVersion: example.org/v1\nkind: Unknown\nspec: &a {b: *c}\n",
    "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nspec: {template: {}}",
    "apiVersion: v1\nkind: Secret\nstringData:\n  x: |-\n    ---\n\n    y\n",
    "apiVersion: apps/v1\nkind: Deployment\nx: &x {a: 1}\ny: {<<: *x}\nspec: {template: {spec: {containers: null}}}\n",
];

#[test]
fn only_what_changes_is_written_anew() {
    let (stdout, stderr) = succeed(FROM_STDIN, INJECTED);
    assert_eq!(stdout, rewritten());
    assert_eq!(stderr, "interceptor: Deployment shop/web: rewritten\n");
}

#[test]
fn the_second_run_changes_nothing() {
    let (stdout, stderr) = succeed(FROM_STDIN, &rewritten());
    assert_eq!(stdout, rewritten());
    assert_eq!(
        stderr,
        "interceptor: Deployment shop/web: unchanged, because it is rewritten already\n"
    );
}

#[test]
fn undo_brings_the_original_back() {
    let (stdout, stderr) = succeed(&["-f", "-", "--undo"], &rewritten());
    assert_eq!(stderr, "interceptor: Deployment shop/web: Istio's again\n");
    assert_eq!(stdout, INJECTED);
    let (stdout, _) = succeed(&["-f", "-", "--undo", "--init-image", "istio/proxyv2:2"], &rewritten());
    assert_eq!(stdout, INJECTED.replace("docker.io/istio/proxyv2:1.29.0", "istio/proxyv2:2"));
}

#[test]
fn a_document_that_istio_did_not_inject_comes_out_as_it_is() {
    let (stdout, stderr) = succeed(FROM_STDIN, PLAIN);
    assert_eq!(stdout, PLAIN);
    assert_eq!(
        stderr,
        "interceptor: Deployment plain: left alone, because it has no init container istio-init; let Istio inject it \
         first\n"
    );
}

#[test]
fn strict_fails_if_a_workload_is_left_alone_and_not_if_it_opted_out() {
    let strict = [FROM_STDIN, &["--strict"]].concat();
    let stderr = fail(1, &strict, &format!("{INJECTED}---\n{PLAIN}"));
    assert!(stderr.contains("--strict: 1 of 2 workloads are left alone"), "{stderr}");
    let opted_out = INJECTED.replace("app: 'web'", "interceptor.dev/rewrite: \"false\"");
    let (stdout, stderr) = succeed(&strict, &opted_out);
    assert_eq!(stdout, opted_out);
    assert!(
        stderr.contains("left alone, because its label interceptor.dev/rewrite is \"false\""),
        "{stderr}"
    );
}

#[test]
fn a_pod_that_somebody_may_have_expected_to_be_rewritten_gets_a_warning() {
    let tproxy = INJECTED.replace("REDIRECT", "TPROXY");
    let (stdout, stderr) = succeed(FROM_STDIN, &tproxy);
    assert_eq!(stdout, tproxy);
    assert!(
        stderr.starts_with("interceptor: warning: Deployment shop/web: left alone, because TPROXY"),
        "{stderr}"
    );
    let (stdout, _) = succeed(&[FROM_STDIN, &["--tproxy"]].concat(), &tproxy);
    assert_eq!(stdout, rewritten().replace("REDIRECT", "TPROXY"));
}

#[test]
fn every_item_of_a_list_is_rewritten_in_its_place() {
    let item = |text: &str| text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n");
    let list = |text: &str| {
        let item = item(text).replacen("  #", "- #", 1);
        format!("apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Service\n{item}\n")
    };
    let (stdout, stderr) = succeed(FROM_STDIN, &list(INJECTED));
    assert_eq!(stdout, list(&rewritten()));
    assert_eq!(stderr.lines().count(), 1);
}

#[test]
fn a_list_in_json_stays_json() {
    let json = r#"{"apiVersion":"v1","kind":"List","items":[
  {"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"spec":{
    "initContainers":[{"name":"istio-init","image":"istio/proxyv2","args":["istio-iptables"]}],"containers":[]}}
]}
"#;
    let (stdout, _) = succeed(FROM_STDIN, json);
    let value: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(value["items"][0]["spec"]["initContainers"][0]["image"], IMAGE);
    assert_eq!(value["items"][0]["spec"]["volumes"].as_array().unwrap().len(), 2);
}

#[test]
fn a_broken_document_is_named_and_nothing_is_written() {
    let stream = format!("{PLAIN}---\n# nothing\n---\n{INJECTED}---\na: [1,\n  b: 2\n---\n{INJECTED}");
    let stderr = fail(1, FROM_STDIN, &stream);
    let line = 1 + stream[..stream.find("a: [1,").unwrap()].matches('\n').count();
    assert!(
        stderr.contains(&format!("standard input, document 3: line {line}: not valid YAML")),
        "{stderr}"
    );
}

#[test]
fn a_document_that_kubernetes_would_refuse_is_named_with_the_place_in_it() {
    let stream = format!("{PLAIN}---\n{}", INJECTED.replace("'15001'", "15001"));
    let stderr = fail(1, FROM_STDIN, &stream);
    let expected = "standard input, document 2, which begins at line 9: \
                    spec.template.spec.initContainers[0].args[2]: expected a string (put the value in quotes); found \
                    `15001`";
    assert!(stderr.contains(expected), "{stderr}");
}

#[test]
fn names_cannot_write_to_the_terminal() {
    let (_, stderr) = succeed(FROM_STDIN, &PLAIN.replace("name: plain", "name: \"\\e[2J\\nx\""));
    assert_eq!(stderr.lines().count(), 1);
    assert!(!stderr.contains('\u{1b}'), "{stderr:?}");
}

#[test]
fn a_stream_of_one_megabyte_of_aliases_is_refused() {
    let aliases = format!("a: &a [{}]\nb: [{}]\n", "x, ".repeat(1000), "*a, ".repeat(200_000));
    let stderr = fail(1, FROM_STDIN, &aliases);
    assert!(
        stderr.contains("document 1: line 2: the aliases of this document stand for more than"),
        "{stderr}"
    );
}

fn stream() -> impl Strategy<Value = Vec<(bool, &'static str)>> {
    let other = select(OTHERS.to_vec()).prop_filter("an alias is known", |text| !text.contains("*c"));
    let document = prop_oneof![3 => other.prop_map(|text| (false, text)), 1 => Just((true, INJECTED))];
    proptest::collection::vec(document, 0..8)
}

fn join(documents: impl Iterator<Item = String>) -> String {
    let ended = documents.map(|text| if text.is_empty() || text.ends_with('\n') { text } else { text + "\n" });
    ended.collect::<Vec<_>>().join("---\n")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn documents_that_are_not_rewritten_come_out_byte_for_byte(documents in stream()) {
        let old = join(documents.iter().map(|(_, text)| (*text).to_owned()));
        let new = |is_injected: bool, text: &str| if is_injected { rewritten() } else { text.to_owned() };
        let expected = join(documents.iter().map(|(is_injected, text)| new(*is_injected, text)));
        let (stdout, _) = texts(&inject(FROM_STDIN, &old));
        prop_assert_eq!(&stdout, &expected);
        let (again, _) = texts(&inject(FROM_STDIN, &stdout));
        prop_assert_eq!(again, stdout);
    }
}
