// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A namespace with the webhook's Service, its rights and its configuration, and replicas that run on the node. All of
//! it goes with the value.

use std::fs;

use serde_json::{Value, json};
use testkit::{
    Process, Run,
    cluster::{Cluster, NODE_ADDRESS},
    interceptor_binary, wait_until,
};

/// Of the replicas. The Service leads to the first one.
pub(super) const PORTS: [u16; 2] = [15017, 15018];
pub(super) const SERVICE: &str = REWRITE.service;
pub(super) const CONFIGURATION: &str = REWRITE.configuration;
pub(super) const IMAGE: &str = "registry.example/interceptor:0.1";
pub(super) const ENVOY: &str = "registry.example/envoy:1.40";

/// What the webhook does with pods, and the names of what belongs to it.
pub(super) struct Mode {
    flags: &'static [&'static str],
    /// More of those for the webhook.
    webhook_flags: &'static [&'static str],
    service: &'static str,
    secret: &'static str,
    configuration: &'static str,
}

pub(super) const REWRITE: Mode = Mode {
    flags: &[],
    webhook_flags: &[],
    service: "interceptor-webhook",
    secret: "interceptor-webhook-tls",
    configuration: "zz-interceptor",
};

/// Pods get an Envoy without Istio.
pub(super) const PLAIN: Mode = Mode {
    flags: &["--mode", "plain"],
    webhook_flags: &["--envoy-image", ENVOY, "--envoy-config", "envoy"],
    service: "interceptor-plain",
    secret: "interceptor-plain-tls",
    configuration: "zz-interceptor-plain",
};

pub(super) struct Mesh<'a> {
    pub(super) cluster: &'a Cluster,
    mode: Mode,
    pub(super) namespace: &'static str,
    /// What is in no namespace, and goes too.
    made: Vec<String>,
}

/// A webhook that runs on the node. It is killed with the value.
pub(super) struct Replica {
    process: Process,
    /// For the API server.
    pub(super) port: u16,
    /// For health and metrics.
    http: u16,
}

impl<'a> Mesh<'a> {
    /// Everything but replicas. The Service leads to the first port.
    pub(super) fn install(cluster: &'a Cluster, namespace: &'static str, port: u16) -> Self {
        Self::install_as(REWRITE, cluster, namespace, port)
    }

    pub(super) fn install_as(kind: Mode, cluster: &'a Cluster, namespace: &'static str, port: u16) -> Self {
        let cluster_wide = format!("{}-{namespace}", kind.service);
        let made = ["clusterrole", "clusterrolebinding"].map(|kind| format!("{kind}/{cluster_wide}"));
        let mut mesh = Self { cluster, mode: kind, namespace, made: made.to_vec() };
        cluster.apply(&[json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } })]);
        cluster.apply(&mesh.rights(&cluster_wide));
        let metadata = json!({ "name": mesh.mode.service, "namespace": namespace });
        cluster.apply(&[
            json!({
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata,
                "spec": { "ports": [{ "port": 443, "targetPort": port }] },
            }),
            json!({
                "apiVersion": "v1",
                "kind": "Endpoints",
                "metadata": metadata,
                "subsets": [{ "addresses": [{ "ip": NODE_ADDRESS }], "ports": [{ "port": port }] }],
            }),
        ]);
        mesh.made
            .push(format!("mutatingwebhookconfiguration/{}", mesh.mode.configuration));
        mesh.configure();
        mesh
    }

    /// Applies what `interceptor render webhook` prints.
    pub(super) fn configure(&self) {
        let mut render = std::process::Command::new(interceptor_binary());
        render
            .args(["render", "webhook", "--namespace", self.namespace])
            .args(self.mode.flags);
        let rendered = Run::of(render);
        rendered.expect_success();
        Run::with_input(self.cluster.kubectl(&["apply", "--filename", "-"]), &rendered.stdout).expect_success();
    }

    /// Makes an object that is in no namespace.
    pub(super) fn make(&mut self, object: &Value) {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str).expect("a text");
        self.made
            .push(format!("{}/{}", text("/kind").to_lowercase(), text("/metadata/name")));
        self.cluster.apply(std::slice::from_ref(object));
    }

    /// What the webhook needs of the API server, and no more.
    fn rights(&self, cluster_wide: &str) -> [Value; 5] {
        let Mode { service, secret, configuration, .. } = self.mode;
        let namespaced = json!({ "name": service, "namespace": self.namespace });
        let wide = json!({ "name": cluster_wide });
        let subjects = json!([{ "kind": "ServiceAccount", "name": service, "namespace": self.namespace }]);
        let group = "rbac.authorization.k8s.io";
        let version = format!("{group}/v1");
        [
            json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": namespaced }),
            json!({
                "apiVersion": version,
                "kind": "Role",
                "metadata": namespaced,
                "rules": [
                    { "apiGroups": [""], "resources": ["secrets"], "verbs": ["create"] },
                    {
                        "apiGroups": [""],
                        "resources": ["secrets"],
                        "resourceNames": [secret],
                        "verbs": ["get", "list", "update", "watch"],
                    },
                ],
            }),
            json!({
                "apiVersion": version,
                "kind": "RoleBinding",
                "metadata": namespaced,
                "roleRef": { "apiGroup": group, "kind": "Role", "name": service },
                "subjects": subjects,
            }),
            json!({
                "apiVersion": version,
                "kind": "ClusterRole",
                "metadata": wide,
                "rules": [{
                    "apiGroups": ["admissionregistration.k8s.io"],
                    "resources": ["mutatingwebhookconfigurations"],
                    "resourceNames": [configuration],
                    "verbs": ["get", "list", "patch", "watch"],
                }],
            }),
            json!({
                "apiVersion": version,
                "kind": "ClusterRoleBinding",
                "metadata": wide,
                "roleRef": { "apiGroup": group, "kind": "ClusterRole", "name": cluster_wide },
                "subjects": subjects,
            }),
        ]
    }

    /// Starts a replica with these rights.
    pub(super) fn replica(&self, port: u16) -> Replica {
        let http = port + 1000;
        let kubeconfig = self.kubeconfig();
        let mut command = self.cluster.beside_the_api(interceptor_binary());
        command.args(["webhook", "--namespace", self.namespace, "--image", IMAGE, "--log-level", "debug"]);
        command.args(self.mode.flags).args(self.mode.webhook_flags);
        command.args(["--shutdown-delay", "0", "--kubeconfig", &kubeconfig]);
        command.args(["--port", &port.to_string(), "--http-port", &http.to_string()]);
        Replica { process: Process::spawn("webhook", &mut command), port, http }
    }

    /// The path of a kubeconfig with the token of the webhook's account.
    fn kubeconfig(&self) -> String {
        let (cluster, namespace) = (self.cluster, self.namespace);
        let ask = |object: &str, template: &str| {
            let template = format!("go-template={template}");
            cluster.ask(&["--namespace", namespace, "get", object, "--output", &template])
        };
        let account = format!("serviceaccount/{}", self.mode.service);
        let secret = || ask(&account, "{{range .secrets}}{{.name}}{{end}}");
        wait_until("the account has a token", || !secret().is_empty());
        let token = ask(&format!("secret/{}", secret()), "{{.data.token | base64decode}}");
        let admin = fs::read_to_string(cluster.kubeconfig()).expect("read the kubeconfig");
        let mut admin: Value = serde_json::from_str(&admin).expect("the kubeconfig is JSON");
        admin["users"][0]["user"] = json!({ "token": token });
        let path = cluster.work().join(format!("{namespace}.conf"));
        fs::write(&path, admin.to_string()).expect("write a kubeconfig");
        path.display().to_string()
    }

    /// The field of an object, as text.
    pub(super) fn field(&self, object: &str, template: &str) -> String {
        let template = format!("go-template={template}");
        self.cluster
            .ask(&["--namespace", self.namespace, "get", object, "--output", &template])
    }

    /// What the API server makes of a pod. The pod is not kept.
    pub(super) fn admitted(&self, pod: &Value) -> Value {
        self.create(pod).json()
    }

    /// The same, with all that kubectl says.
    pub(super) fn create(&self, pod: &Value) -> Run {
        let create = ["create", "--dry-run=server", "--output", "json", "--filename", "-"];
        Run::with_input(self.cluster.kubectl(&create), &pod.to_string())
    }
}

impl Replica {
    pub(super) fn wait_until_ready(&self, cluster: &Cluster) {
        wait_until("a replica is ready", || {
            let mut ready = cluster.node("curl");
            ready.args(["--silent", "--fail", &format!("http://127.0.0.1:{}/readyz", self.http)]);
            Run::of(ready).code == Some(0)
        });
    }

    pub(super) fn kill(self) {
        self.process.kill();
    }
}

impl Drop for Mesh<'_> {
    fn drop(&mut self) {
        // Whoever fails here has failed before, and the node goes.
        for object in self.made.iter().chain([&format!("namespace/{}", self.namespace)]) {
            let delete = self.cluster.kubectl(&["delete", "--ignore-not-found", "--wait=false", object]);
            Run::attempt(delete, "").map(drop).unwrap_or_default();
        }
    }
}
