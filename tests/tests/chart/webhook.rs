// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The webhook's objects, and its values.

use serde_json::{Value, json};
use testkit::{Run, helm::Rendered, interceptor_binary};

use crate::{
    helm,
    objects::object,
    row::{Row, row},
};

const AUTHORITY: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const ARGS: &str = "/spec/template/spec/containers/0/args";

/// Rows of the table of values.
pub(crate) fn rows() -> Vec<Row> {
    let on = || json!({ "webhook": { "enabled": true } });
    let of_deployment =
        |path, value, pointer: &str, expected| row(path, value, "Deployment", pointer, expected).with(on());
    let flag = |path, flag: &str| of_deployment(path, json!(true), &format!("{ARGS}/4"), json!(flag));
    let of_pods = |name: &str| format!("/spec/template/spec/{name}");
    let of_template = |name: &str| format!("/spec/template/metadata/{name}/a");
    let toleration = json!([{ "key": "a", "operator": "Exists" }]);
    let affinity = json!({ "nodeAffinity": {} });
    let configuration = "MutatingWebhookConfiguration";
    let plain = || json!({ "webhook": in_plain_mode() });
    let of_plain =
        |path, value, flag: &str| row(path, value, "Deployment", format!("{ARGS}/6"), json!(flag)).with(plain());
    let mut rows = vec![
        row(
            "webhook.plain.envoyImage",
            json!("envoy:2"),
            "Deployment",
            format!("{ARGS}/5"),
            json!("--envoy-image=envoy:2"),
        )
        .with(plain()),
        of_plain("webhook.plain.envoyConfig", json!("mine"), "--envoy-config=mine"),
        row(
            "webhook.plain.nativeSidecars",
            json!(true),
            "Deployment",
            format!("{ARGS}/7"),
            json!("--native-sidecars"),
        )
        .with(plain()),
        row(
            "agent.enabled",
            json!(false),
            "Deployment",
            format!("{ARGS}/2"),
            json!("--data-path=init"),
        )
        .with(on()),
        row("webhook.enabled", json!(true), "Deployment", "/spec/replicas", json!(2)),
        of_deployment("webhook.replicas", json!(3), "/spec/replicas", json!(3)),
        of_deployment(
            "webhook.revision",
            json!("a"),
            &format!("{ARGS}/4"),
            json!("--webhook-config=zz-interceptor-a"),
        ),
        row(
            "webhook.failurePolicy",
            json!("Fail"),
            configuration,
            "/webhooks/0/failurePolicy",
            json!("Fail"),
        )
        .with(on()),
        of_deployment(
            "webhook.dataPath",
            json!("init"),
            &format!("{ARGS}/2"),
            json!("--data-path=init"),
        ),
        flag("webhook.tproxy", "--tproxy"),
        flag("webhook.anyRuntime", "--any-runtime"),
        of_deployment("webhook.affinity", affinity.clone(), &of_pods("affinity"), affinity),
        of_deployment("webhook.tolerations", toleration.clone(), &of_pods("tolerations"), toleration),
        of_deployment("webhook.podLabels", json!({ "a": "b" }), &of_template("labels"), json!("b")),
        of_deployment(
            "webhook.podAnnotations",
            json!({ "a": "b" }),
            &of_template("annotations"),
            json!("b"),
        ),
        of_deployment(
            "webhook.resources",
            json!({ "limits": { "memory": "1Gi" } }),
            &of_pods("containers/0/resources/limits/memory"),
            json!("1Gi"),
        ),
    ];
    rows.extend(certificates());
    rows.extend(shared());
    rows
}

fn certificates() -> Vec<Row> {
    let of_pods = |name: &str| format!("/spec/template/spec/{name}");
    let configuration = "MutatingWebhookConfiguration";
    let given = json!({ "webhook": {
        "enabled": true,
        "certificate": { "secret": "other", "caBundle": "-----BEGIN CERTIFICATE-----" },
    } });
    let managed = json!({ "webhook": {
        "enabled": true,
        "certificate": { "certManager": { "enabled": true, "issuer": { "name": "other" } } },
    } });
    let issuer = |path, value: &str, pointer: &str| {
        row(path, json!(value), "Certificate", pointer, json!(value)).with(managed.clone())
    };
    vec![
        row(
            "webhook.certificate.secret",
            json!("mine"),
            "Deployment",
            of_pods("volumes/0/secret/secretName"),
            json!("mine"),
        )
        .with(given.clone()),
        row(
            "webhook.certificate.caBundle",
            json!(AUTHORITY),
            configuration,
            "/webhooks/0/clientConfig/caBundle",
            json!("LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBQUEKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="),
        )
        .with(given),
        row(
            "webhook.certificate.certManager.enabled",
            json!(true),
            "Certificate",
            "/spec/secretName",
            json!("interceptor-webhook-tls"),
        )
        .with(json!({ "webhook": {
            "enabled": true,
            "certificate": { "certManager": { "issuer": { "name": "mine" } } },
        } })),
        issuer("webhook.certificate.certManager.issuer.name", "mine", "/spec/issuerRef/name"),
        issuer(
            "webhook.certificate.certManager.issuer.kind",
            "ClusterIssuer",
            "/spec/issuerRef/kind",
        ),
    ]
}

/// What the webhook shares with the agent.
fn shared() -> Vec<Row> {
    let of_deployment = |path, value, pointer: &str, expected| {
        row(path, value, "Deployment", pointer, expected).with(json!({ "webhook": { "enabled": true } }))
    };
    vec![
        of_deployment(
            "platform",
            json!("openshift"),
            &format!("{ARGS}/4"),
            json!("--selinux-type=spc_t"),
        ),
        of_deployment(
            "logging.level",
            json!("warn,cni:debug"),
            &format!("{ARGS}/3"),
            json!("--log-level=warn"),
        ),
        of_deployment(
            "logging.level",
            json!("cni:debug,all:error"),
            &format!("{ARGS}/3"),
            json!("--log-level=error"),
        ),
        of_deployment(
            "global.logging.level",
            json!("none"),
            &format!("{ARGS}/3"),
            json!("--log-level=error"),
        ),
        of_deployment("global.logAsJson", json!(true), &format!("{ARGS}/4"), json!("--log-json")),
        of_deployment("hub", json!("a"), &format!("{ARGS}/1"), json!("--image=a/interceptor:0.1.0")),
    ]
}

fn in_plain_mode() -> Value {
    json!({ "enabled": true, "mode": "plain", "plain": { "envoyImage": "envoy:1", "envoyConfig": "envoy" } })
}

fn rendered(values: &Value) -> Rendered {
    helm().render(values).unwrap_or_else(|error| panic!("{values}: {error}"))
}

/// Kinds and names of the objects that are the webhook's.
fn of_webhook(rendered: &Rendered) -> Vec<String> {
    let ours = rendered.objects.iter().filter(|object| {
        let name = &object["metadata"]["labels"]["app.kubernetes.io/name"];
        name == "interceptor-webhook" || name == "interceptor-plain"
    });
    let mut names: Vec<_> = ours.map(|object| text(&object["kind"])).collect();
    names.sort();
    names
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

#[test]
fn the_configuration_is_the_one_that_the_webhook_prints() {
    let authority = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(authority.path(), AUTHORITY).expect("write the authority");
    let helm = helm();
    let printed = |flags: &[&str]| {
        let mut render = std::process::Command::new(interceptor_binary());
        render.args(["render", "webhook", "--namespace", "istio-system"]).args(flags);
        let run = Run::of(render);
        run.expect_success();
        without_labels(helm.read(&run.stdout))
    };
    let made = |webhook: &Value| {
        let rendered = rendered(&json!({ "webhook": webhook }));
        without_labels(object(&rendered, "MutatingWebhookConfiguration").clone())
    };
    assert_eq!(made(&json!({ "enabled": true })), printed(&[]));
    for revision in ["default", "canary"] {
        let webhook = json!({ "enabled": true, "revision": revision });
        assert_eq!(made(&webhook), printed(&["--revision", revision]));
    }
    assert_eq!(made(&in_plain_mode()), printed(&["--mode", "plain"]));
    let certificate = json!({ "secret": "mine", "caBundle": AUTHORITY });
    assert_eq!(
        made(&json!({ "enabled": true, "certificate": certificate })),
        printed(&["--ca-file", &authority.path().display().to_string()])
    );
}

/// Helm has labels of its own. None of them is Istio's, which would have istiod write into the configuration.
fn without_labels(mut configuration: Value) -> Value {
    let labels = configuration["metadata"]
        .as_object_mut()
        .and_then(|metadata| metadata.remove("labels"));
    let labels = labels.expect("labels");
    assert!(labels.get("istio.io/rev").is_none(), "{labels}");
    configuration
}

#[test]
fn the_webhook_comes_on_demand_and_without_the_agent_if_that_is_wanted() {
    assert_eq!(of_webhook(&rendered(&json!({}))), [""; 0]);
    let alone = rendered(&json!({ "agent": { "enabled": false }, "webhook": { "enabled": true } }));
    let all = [
        "ClusterRole",
        "ClusterRoleBinding",
        "Deployment",
        "MutatingWebhookConfiguration",
        "PodDisruptionBudget",
        "Role",
        "RoleBinding",
        "Secret",
        "Service",
        "ServiceAccount",
    ];
    assert_eq!(of_webhook(&alone), all);
    assert_eq!(alone.objects.len(), all.len());
}

#[test]
fn in_plain_mode_every_object_has_the_name_that_the_webhook_expects() {
    let rendered = rendered(&json!({ "agent": { "enabled": false }, "webhook": in_plain_mode() }));
    let expected = ["interceptor-plain", "interceptor-plain-tls", "zz-interceptor-plain"];
    for object in &rendered.objects {
        let name = text(&object["metadata"]["name"]);
        assert!(expected.contains(&name.as_str()), "{object}");
        assert!(!object.to_string().contains("interceptor-webhook"), "{object}");
    }
    assert_eq!(
        object(&rendered, "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"][4],
        "--mode=plain"
    );
    assert!(rendered.notes.contains("interceptor.dev/inject=true"), "{}", rendered.notes);
}

#[test]
fn one_replica_has_no_budget_because_its_node_could_not_be_drained() {
    let one = rendered(&json!({ "webhook": { "enabled": true, "replicas": 1 } }));
    assert!(!of_webhook(&one).contains(&"PodDisruptionBudget".to_owned()));
}

#[test]
fn with_a_given_certificate_the_webhook_has_no_rights() {
    let given = json!({ "secret": "mine", "caBundle": AUTHORITY });
    let managed = json!({ "certManager": { "enabled": true, "issuer": { "name": "mine" } } });
    for (certificate, more) in [(given, None), (managed, Some("Certificate"))] {
        let rendered = rendered(&json!({ "webhook": { "enabled": true, "certificate": certificate } }));
        let mut expected =
            vec!["Deployment", "MutatingWebhookConfiguration", "PodDisruptionBudget", "Service", "ServiceAccount"];
        expected.splice(0..0, more);
        assert_eq!(of_webhook(&rendered), expected);
        let spec = &object(&rendered, "Deployment")["spec"]["template"]["spec"];
        assert_eq!(spec["automountServiceAccountToken"], false);
    }
}

#[test]
fn cert_manager_makes_a_certificate_for_the_service_and_writes_its_authority_into_the_configuration() {
    let certificate = json!({ "certManager": { "enabled": true, "issuer": { "name": "mine" } } });
    let rendered = rendered(&json!({ "webhook": { "enabled": true, "certificate": certificate } }));
    assert_eq!(
        object(&rendered, "Certificate")["spec"]["dnsNames"],
        json!(["interceptor-webhook.istio-system.svc"])
    );
    let configuration = object(&rendered, "MutatingWebhookConfiguration");
    assert_eq!(
        configuration["metadata"]["annotations"]["cert-manager.io/inject-ca-from"],
        "istio-system/interceptor-webhook"
    );
}

#[test]
fn both_have_a_monitor() {
    let rendered = rendered(&json!({ "podMonitor": { "enabled": true }, "webhook": { "enabled": true } }));
    let monitors = rendered.objects.iter().filter(|object| object["kind"] == "PodMonitor");
    let selected: Vec<_> = monitors
        .map(|monitor| text(&monitor["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]))
        .collect();
    assert_eq!(selected, ["interceptor-agent", "interceptor-webhook"]);
    let pods = &object(&rendered, "Deployment")["spec"]["template"];
    let ports = pods["spec"]["containers"][0]["ports"].as_array().expect("ports");
    assert!(ports.iter().any(|port| port["name"] == "http"), "{ports:?}");
}

#[test]
fn objects_of_the_webhook_are_of_the_cluster_or_of_the_namespace() {
    let of_scope = |scope: &str| {
        of_webhook(&rendered(
            &json!({ "webhook": { "enabled": true }, "global": { "resourceScope": scope } }),
        ))
    };
    assert_eq!(
        of_scope("cluster"),
        ["ClusterRole", "ClusterRoleBinding", "MutatingWebhookConfiguration"]
    );
    let namespaced = of_scope("namespace");
    assert_eq!(namespaced.len(), 7, "{namespaced:?}");
}

#[test]
fn notes_name_what_is_installed() {
    let notes = |values: Value| rendered(&values).notes;
    let alone = notes(json!({ "agent": { "enabled": false }, "webhook": { "enabled": true } }));
    assert!(
        alone.contains("deployment/interceptor-webhook") && !alone.contains("daemonset"),
        "{alone}"
    );
    let failing = notes(json!({ "webhook": { "enabled": true, "failurePolicy": "Fail" } }));
    assert!(
        failing.contains("failurePolicy is Fail") && failing.contains("daemonset"),
        "{failing}"
    );
}
