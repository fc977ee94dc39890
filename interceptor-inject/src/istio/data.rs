// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a template sees of a pod and of the mesh: the fields of Istio's `SidecarTemplateData`
//! ([`inject.go`](https://github.com/istio/istio/blob/master/pkg/kube/inject/inject.go)).

use gtmpl_ng::Value as Go;
use serde_json::Value as Json;

use super::{
    go::{message, structure, untyped, with_json},
    mesh::Mesh,
    owner::Owner,
    proxy_config::ProxyConfig,
    values::Values,
};
use crate::malformed::Object;

/// The field of the mesh configuration that says whether it asks for attributes of OpenTelemetry. No template can name
/// it.
pub(super) const ENRICHES: &str = "$enriches";
/// Whom Istio's sidecar runs as where nobody says otherwise.
const PROXY_ID: u64 = 1337;

const NO_TEXT: Go = Go::String(String::new());

/// Everything that the data is made of.
pub(super) struct Data<'a> {
    pub(super) owner: &'a Owner,
    pub(super) metadata: &'a Object,
    pub(super) spec: &'a Object,
    pub(super) proxy: &'a ProxyConfig,
    pub(super) mesh: &'a Mesh,
    pub(super) values: &'a Values,
    pub(super) revision: &'a str,
    pub(super) native_sidecars: bool,
}

impl Data<'_> {
    pub(super) fn to_go(&self) -> Go {
        let Self { owner, metadata, spec, proxy, mesh, values, revision, native_sidecars } = self;
        let annotation = |name: &str| metadata.get("annotations")?.get(name)?.as_str();
        let image_type = annotation("sidecar.istio.io/proxyImageType").or_else(|| proxy.image_type());
        let type_meta = [("APIVersion", &owner.api_version), ("Kind", &owner.kind)];
        let fields = [
            (
                "TypeMeta",
                structure(type_meta.map(|(name, text)| (name.to_owned(), Go::from(text)))),
            ),
            ("DeploymentMeta", object_meta(&owner.metadata)),
            ("ObjectMeta", object_meta(metadata)),
            ("Spec", pod_spec(spec)),
            ("ProxyConfig", proxy_config(proxy)),
            ("MeshConfig", mesh_config(mesh)),
            ("Values", untyped(&values.all)),
            ("Revision", Go::from(*revision)),
            ("NativeSidecars", Go::from(*native_sidecars)),
            ("ProxyImage", Go::from(values.image("proxy", image_type))),
            ("ProxyInitImage", Go::from(values.image("proxy_init", image_type))),
            ("ProxyUID", Go::from(PROXY_ID)),
            ("ProxyGID", Go::from(PROXY_ID)),
            ("InboundTrafficPolicyMode", Go::from(mesh.inbound_traffic_policy())),
            ("CompliancePolicy", NO_TEXT),
        ];
        structure(fields.map(|(name, value)| (name.to_owned(), value)))
    }
}

fn object_meta(metadata: &Object) -> Go {
    let map = |name: &str| metadata.get(name).filter(|map| map.is_object()).map_or_else(empty_map, untyped);
    let zeros = [
        ("Name", NO_TEXT),
        ("GenerateName", NO_TEXT),
        ("Namespace", NO_TEXT),
        ("UID", NO_TEXT),
        ("Labels", empty_map()),
    ];
    let mut plain = metadata.clone();
    plain.retain(|name, _value| !["labels", "annotations"].contains(&name.as_str()));
    let fields = message(&Json::Object(plain), &zeros);
    with_fields(fields, [("Labels", map("labels")), ("Annotations", map("annotations"))])
}

fn pod_spec(spec: &Object) -> Go {
    let list = |name: &str, item: &dyn Fn(&Json) -> Go| {
        let items = spec.get(name).and_then(Json::as_array);
        Go::Array(items.into_iter().flatten().map(item).collect())
    };
    let zeros = [
        ("ServiceAccountName", NO_TEXT),
        ("NodeName", NO_TEXT),
        ("HostNetwork", Go::Bool(false)),
        ("HostPID", Go::Bool(false)),
        ("RestartPolicy", NO_TEXT),
        ("RuntimeClassName", Go::Nil),
        ("SecurityContext", Go::Nil),
        ("Volumes", Go::Array(Vec::new())),
        ("ImagePullSecrets", Go::Array(Vec::new())),
    ];
    // A pointer that points to false is not nothing. Go prints what it points to.
    let pointer = |name: &str| match spec.get(name) {
        None | Some(Json::Null) => Go::Nil,
        Some(value) => Go::String(value.to_string()),
    };
    let containers = [
        ("AutomountServiceAccountToken", pointer("automountServiceAccountToken")),
        ("EnableServiceLinks", pointer("enableServiceLinks")),
        ("HostUsers", pointer("hostUsers")),
        ("ShareProcessNamespace", pointer("shareProcessNamespace")),
        ("InitContainers", list("initContainers", &container)),
        ("Containers", list("containers", &container)),
    ];
    with_fields(message(&Json::Object(spec.clone()), &zeros), containers)
}

fn container(container: &Json) -> Go {
    let zeros = [
        ("Name", NO_TEXT),
        ("Image", NO_TEXT),
        ("Command", Go::Array(Vec::new())),
        ("Args", Go::Array(Vec::new())),
        ("Env", Go::Array(Vec::new())),
        ("VolumeMounts", Go::Array(Vec::new())),
        ("SecurityContext", Go::Nil),
    ];
    let ports = container.get("ports").and_then(Json::as_array);
    let ports = Go::Array(ports.into_iter().flatten().map(port).collect());
    with_fields(message(container, &zeros), [("Ports", ports)])
}

fn port(port: &Json) -> Go {
    let zeros = [("Name", NO_TEXT), ("HostPort", Go::from(0)), ("Protocol", NO_TEXT), ("HostIP", NO_TEXT)];
    let order = ["name", "hostPort", "containerPort", "protocol", "hostIP"];
    let fields = order
        .iter()
        .filter_map(|name| Some((name, port.get(name).filter(|value| !value.is_null())?)));
    let fields: Vec<String> = fields.map(|(name, value)| format!("\"{name}\":{value}")).collect();
    with_json(message(port, &zeros), format!("{{{}}}", fields.join(",")))
}

fn proxy_config(proxy: &ProxyConfig) -> Go {
    let metadata = proxy.metadata().map(|(name, value)| (name.clone(), Go::from(value))).collect();
    let hold = [("GetValue".to_owned(), Go::from(proxy.holds_application()))];
    // Go's getters answer for what is not there.
    let certificates = |tls: &Json| tls.get("caCertificates").and_then(Json::as_str).unwrap_or_default().to_owned();
    let tls = proxy.fields.get("tracing").and_then(|tracing| tracing.get("tlsSettings"));
    let tls = tls.map_or(Go::Nil, |tls| {
        structure([("GetCaCertificates".to_owned(), Go::from(certificates(tls)))])
    });
    let fields = with_fields(
        message(
            &Json::Object(proxy.fields.clone()),
            &[("Image", Go::Nil), ("Concurrency", Go::Nil)],
        ),
        [
            ("InterceptionMode", Go::from(proxy.interception_mode())),
            ("ProxyMetadata", Go::Map(metadata)),
            ("HoldApplicationUntilProxyStarts", structure(hold)),
            ("GetTracing", structure([("GetTlsSettings".to_owned(), tls)])),
        ],
    );
    with_json(fields, proxy.to_json())
}

fn mesh_config(mesh: &Mesh) -> Go {
    let fields = message(
        &Json::Object(mesh.fields.clone()),
        &[("IngressClass", NO_TEXT), ("IngressService", NO_TEXT)],
    );
    with_fields(fields, [(ENRICHES, Go::from(mesh.enriches_telemetry()))])
}

fn with_fields<const N: usize>(go: Go, more: [(&str, Go); N]) -> Go {
    match go {
        Go::Object(mut fields) => {
            fields.extend(more.map(|(name, value)| (name.to_owned(), value)));
            Go::Object(fields)
        }
        other => other,
    }
}

fn empty_map() -> Go {
    Go::Map(std::collections::HashMap::new())
}
