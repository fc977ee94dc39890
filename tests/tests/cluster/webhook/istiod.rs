// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A small webhook that plays istiod, and another one that adds a container. They run in the node's network, and
//! change pods as istiod does: a pod that has Istio's container already gets the template merged over it.

use std::{
    convert::Infallible,
    fs::File,
    sync::{Arc, mpsc},
    thread,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use k8s_openapi::ByteString;
use nix::sched::{CloneFlags, setns};
use rcgen::{CertificateParams, KeyPair};
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use serde_json::{Value, json};
use testkit::cluster::{Cluster, NODE_ADDRESS};
use tokio::{net::TcpListener, runtime, sync::oneshot};
use tokio_rustls::TlsAcceptor;

/// The image of Istio's containers.
pub(crate) const PROXY: &str = "docker.io/istio/proxyv2:1.29.0";
/// Of a pod that it refuses, with these words.
const REFUSED: (&str, &str) = ("refuse", "the annotation of this pod is bad");
/// The name by which the API server would call a Service of it.
pub(crate) const HOST: [&str; 2] = ["istiod", "mesh-inject"];
const INIT: &str = "/spec/initContainers/0";

/// It runs as long as the value lives.
pub(crate) struct Istiod {
    port: u16,
    certificate: String,
    _end: oneshot::Sender<()>,
}

impl Istiod {
    pub(crate) fn start(cluster: &Cluster) -> Self {
        let parameters =
            CertificateParams::new([NODE_ADDRESS.to_owned(), format!("{}.svc", HOST.join("."))]).expect("names");
        let key = KeyPair::generate().expect("make a key");
        let certificate = parameters.self_signed(&key).expect("sign a certificate");
        let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
            )
            .expect("a certificate");
        let network = File::open(cluster.namespace("net")).expect("open the node's network namespace");
        let (started, start) = mpsc::channel();
        let (end, ended) = oneshot::channel();
        thread::spawn(move || {
            setns(network, CloneFlags::CLONE_NEWNET).expect("enter the node's network namespace");
            let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::bind((NODE_ADDRESS, 0)).await.expect("listen");
                started
                    .send(listener.local_addr().expect("an address").port())
                    .expect("the test waits");
                tokio::select! {
                    () = serve(listener, TlsAcceptor::from(Arc::new(tls))) => {}
                    _dropped = ended => {}
                }
            });
        });
        let port = start.recv().expect("it starts");
        Self { port, certificate: certificate.pem(), _end: end }
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Istio's configuration, for the pods of these tests.
    pub(crate) fn configuration(&self, reinvocation: &str) -> Value {
        self.configured(
            "istio-sidecar-injector",
            "object.sidecar-injector.istio.io",
            "inject",
            reinvocation,
        )
    }

    /// The configuration of somebody else, after Istio's by its name.
    pub(crate) fn third(&self) -> Value {
        self.configured("kk-third", "third.example.org", "third", "Never")
    }

    fn configured(&self, name: &str, webhook: &str, path: &str, reinvocation: &str) -> Value {
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": { "name": name },
            "webhooks": [{
                "name": webhook,
                "admissionReviewVersions": ["v1beta1", "v1"],
                "clientConfig": {
                    "url": format!("https://{NODE_ADDRESS}:{}/{path}", self.port),
                    "caBundle": ByteString(self.certificate.clone().into_bytes()),
                },
                "failurePolicy": "Fail",
                "objectSelector": { "matchLabels": { "sidecar.istio.io/inject": "true" } },
                "reinvocationPolicy": reinvocation,
                "rules": [{
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE"],
                    "resources": ["pods"],
                }],
                "sideEffects": "None",
            }],
        })
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor) {
    loop {
        let Ok((stream, _peer)) = listener.accept().await else { continue };
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            // The API server tries again, if it wants to.
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
            connection.await.unwrap_or_default();
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let is_third = request.uri().path() == "/third";
    let body = request
        .into_body()
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let review: Value = serde_json::from_slice(&body).unwrap_or_default();
    let pod = &review["request"]["object"];
    let patch = if is_third { add_container() } else { inject(pod) };
    let (label, message) = REFUSED;
    let mut response = json!({ "uid": review["request"]["uid"], "allowed": true });
    if pod["metadata"]["labels"].get(label).is_some() {
        response["allowed"] = false.into();
        response["status"] = json!({ "message": message });
    } else {
        response["patchType"] = "JSONPatch".into();
        response["patch"] = json!(ByteString(patch.to_string().into_bytes()));
    }
    let answer = json!({ "apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response });
    let mut response = Response::new(Full::from(answer.to_string()));
    let json = "application/json".parse().expect("a type of content");
    response.headers_mut().insert("content-type", json);
    Ok(response)
}

/// What istiod's template makes of a pod; of one that it injected before, too. There, lists without a key are
/// replaced, and everything else is merged.
fn inject(pod: &Value) -> Value {
    let capabilities = json!({ "add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"] });
    if pod.pointer(INIT).is_some() {
        return json!([
            { "op": "replace", "path": format!("{INIT}/image"), "value": PROXY },
            { "op": "add", "path": format!("{INIT}/securityContext/capabilities"), "value": capabilities },
            { "op": "add", "path": format!("{INIT}/securityContext/readOnlyRootFilesystem"), "value": false },
        ]);
    }
    let init = json!({
        "name": "istio-init",
        "image": PROXY,
        "args": ["istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT", "-i", "*", "-x", "",
            "-b", "*", "-d", "15090,15021,15020"],
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": capabilities,
            "privileged": false,
            "readOnlyRootFilesystem": false,
            "runAsGroup": 0,
            "runAsNonRoot": false,
            "runAsUser": 0,
        },
    });
    let proxy = json!({
        "name": "istio-proxy",
        "image": PROXY,
        "args": ["proxy", "sidecar"],
        "securityContext": { "runAsUser": 1337, "runAsGroup": 1337 },
    });
    json!([
        { "op": "add", "path": "/spec/initContainers", "value": [init] },
        { "op": "add", "path": "/spec/containers/-", "value": proxy },
        { "op": "add", "path": "/metadata/annotations", "value": { "sidecar.istio.io/status": "{}" } },
        { "op": "add", "path": "/metadata/labels/security.istio.io~1tlsMode", "value": "istio" },
    ])
}

fn add_container() -> Value {
    let container = json!({ "name": "third", "image": "example.org/third:1" });
    json!([{ "op": "add", "path": "/spec/containers/-", "value": container }])
}
