// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An API server that knows the pods of a node and one `DaemonSet`: list, watch and get, as `kube` asks for them. It
//! can be made to fail.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

use bytes::Bytes;
use http_body_util::{
    BodyExt as _, Either, Full,
    channel::{Channel, Sender},
};
use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, http::request::Parts, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    runtime,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

/// The node whose pods may be asked for.
pub const NODE: &str = "node-a";

/// Namespace and name of the `DaemonSet` that runs the agent.
pub const DAEMON_SET: [&str; 2] = ["istio-system", "istio-cni-node"];

/// A running API server. It ends with the value.
pub struct Api {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    _end: tokio::sync::oneshot::Sender<()>,
}

#[derive(Default)]
struct State {
    pods: BTreeMap<(String, String), Value>,
    /// Every change, by its resource version.
    events: Vec<(u64, Value)>,
    watchers: Vec<UnboundedSender<Value>>,
    version: u64,
    is_down: bool,
    /// Pods that were asked for one by one.
    gets: usize,
    /// What is said of the `DaemonSet` [`DAEMON_SET`]: a status and a body.
    daemon_set: Option<(u16, Value)>,
    /// What is said of the node [`NODE`].
    node: Option<Value>,
    /// Everything that was to be changed.
    changes: Vec<Change>,
    is_read_only: bool,
}

/// A request that changes something.
#[derive(Clone, Debug)]
pub struct Change {
    /// Method and path.
    pub what: String,
    pub content_type: String,
    pub body: Value,
}

type Body = Either<Full<Bytes>, Channel<Bytes>>;

impl Api {
    pub fn start() -> Self {
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let state = Arc::<Mutex<State>>::default();
        let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = runtime
            .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .expect("listen for HTTP");
        let address = listener.local_addr().expect("an address");
        let served = Arc::clone(&state);
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, served) => {}
                    _dropped = ended => {}
                }
            });
        });
        Self { address, state, _end: end }
    }

    /// A kubeconfig, which is JSON.
    pub fn kubeconfig(&self) -> String {
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": format!("http://{}", self.address)}}],
            "users": [{"name": "test", "user": {}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        })
        .to_string()
    }

    /// Adds a pod, or replaces it. Watchers are told.
    pub fn put(&self, pod: Value) {
        let mut state = self.state();
        let name = name_of(&pod);
        let kind = if state.pods.contains_key(&name) { "MODIFIED" } else { "ADDED" };
        let pod = state.tell(kind, pod);
        state.pods.insert(name, pod);
    }

    /// The same, before any watcher is told: as it is when a pod has just been bound to its node.
    pub fn put_quietly(&self, pod: Value) {
        self.state().pods.insert(name_of(&pod), pod);
    }

    /// Removes a pod. Watchers are told.
    pub fn remove(&self, namespace: &str, name: &str) {
        let mut state = self.state();
        if let Some(pod) = state.pods.remove(&(namespace.to_owned(), name.to_owned())) {
            state.tell("DELETED", pod);
        }
    }

    /// Every connection is closed without an answer, or no longer.
    pub fn set_down(&self, is_down: bool) {
        let mut state = self.state();
        state.is_down = is_down;
        state.watchers.clear();
    }

    /// How many pods were asked for one by one.
    pub fn gets(&self) -> usize {
        self.state().gets
    }

    /// There is the `DaemonSet` of the agent, with this metadata besides its name.
    pub fn put_daemon_set(&self, metadata: &Value) {
        let mut daemon_set = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata});
        let [namespace, name] = DAEMON_SET;
        daemon_set["metadata"]["namespace"] = namespace.into();
        daemon_set["metadata"]["name"] = name.into();
        self.state().daemon_set = Some((200, daemon_set));
    }

    /// The pods of the `DaemonSet` have this specification. It has to be there.
    pub fn set_template(&self, spec: &Value) {
        let mut state = self.state();
        let (_, daemon_set) = state.daemon_set.as_mut().expect("there is a DaemonSet");
        daemon_set["spec"] = json!({"selector": {}, "template": {"spec": spec}});
    }

    /// There is the node, with these labels.
    pub fn put_node(&self, labels: &Value) {
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": labels}});
        self.state().node = Some(node);
    }

    /// Whoever asks for the `DaemonSet` is refused.
    pub fn refuse_daemon_set(&self, code: u16, reason: &str) {
        self.state().daemon_set = Some((code, failure(code, reason, "as the test wants it")));
    }

    /// Requests that change something, in order. They are answered, and carried out by nobody.
    pub fn changes(&self) -> Vec<Change> {
        self.state().changes.clone()
    }

    /// Requests that change something are refused.
    pub fn set_read_only(&self) {
        self.state().is_read_only = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no handler panicked")
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        // Watches end, so that nothing waits for them.
        self.set_down(true);
    }
}

impl State {
    fn tell(&mut self, kind: &str, mut pod: Value) -> Value {
        self.version += 1;
        pod["metadata"]["resourceVersion"] = self.version.to_string().into();
        let event = json!({"type": kind, "object": pod});
        self.events.push((self.version, event.clone()));
        self.watchers.retain(|watcher| watcher.send(event.clone()).is_ok());
        pod
    }

    fn change(&mut self, request: &Parts, body: &[u8]) -> io::Result<Response<Body>> {
        let content_type = request.headers.get("content-type").and_then(|value| value.to_str().ok());
        let body: Value = serde_json::from_slice(body).map_err(io::Error::other)?;
        self.changes.push(Change {
            what: format!("{} {}", request.method, request.uri.path()),
            content_type: content_type.unwrap_or_default().to_owned(),
            body: body.clone(),
        });
        if self.is_read_only {
            return respond(StatusCode::FORBIDDEN, &failure(403, "Forbidden", "nothing may be changed"));
        }
        match request.uri.path().split('/').nth(5) {
            Some("events") => respond(StatusCode::CREATED, &body),
            _ => respond(StatusCode::OK, &json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}})),
        }
    }

    /// What happened since a version, and what will happen.
    fn watch(&mut self, since: u64) -> UnboundedReceiver<Value> {
        let (sender, receiver) = unbounded_channel();
        for (_, event) in self.events.iter().filter(|(version, _)| *version > since) {
            sender.send(event.clone()).expect("the receiver is here");
        }
        self.watchers.push(sender);
        receiver
    }
}

fn name_of(pod: &Value) -> (String, String) {
    let text = |key: &str| pod["metadata"][key].as_str().expect("a name").to_owned();
    (text("namespace"), text("name"))
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    loop {
        let Ok((stream, _peer)) = listener.accept().await else { continue };
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let answer = service_fn(move |request: Request<Incoming>| {
                let state = Arc::clone(&state);
                async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
                    answer(&head, &body, &state)
                }
            });
            // A client that goes is no concern of ours.
            http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await
                .unwrap_or_default();
        });
    }
}

fn answer(request: &Parts, body: &[u8], state: &Arc<Mutex<State>>) -> io::Result<Response<Body>> {
    let mut locked = state.lock().expect("no handler panicked");
    if locked.is_down {
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    let query = request.uri.query().unwrap_or_default();
    let parameter = |name: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).next()
    };
    if request.method != Method::GET {
        return locked.change(request, body);
    }
    let path: Vec<&str> = request.uri.path().trim_matches('/').split('/').collect();
    let (status, body) = match path.as_slice() {
        ["api", "v1", "pods"] if parameter("fieldSelector") != Some(format!("spec.nodeName%3D{NODE}")) => (
            StatusCode::BAD_REQUEST,
            failure(400, "BadRequest", "only the pods of one node may be listed"),
        ),
        ["api", "v1", "pods"] if parameter("watch").is_some() => {
            let since = parameter("resourceVersion")
                .and_then(|version| version.parse().ok())
                .unwrap_or_default();
            let events = locked.watch(since);
            let (sender, body) = Channel::new(16);
            tokio::spawn(stream(events, sender));
            return Ok(Response::new(Either::Right(body)));
        }
        ["api", "v1", "pods"] => {
            let items: Vec<&Value> = locked.pods.values().collect();
            let list = json!({
                "apiVersion": "v1", "kind": "PodList", "items": items,
                "metadata": {"resourceVersion": locked.version.to_string()},
            });
            (StatusCode::OK, list)
        }
        ["api", "v1", "namespaces", namespace, "pods", name] => {
            locked.gets += 1;
            match locked.pods.get(&((*namespace).to_owned(), (*name).to_owned())) {
                Some(pod) => (StatusCode::OK, pod.clone()),
                None => (StatusCode::NOT_FOUND, failure(404, "NotFound", "there is no such pod")),
            }
        }
        ["api", "v1", "nodes", NODE] => match &locked.node {
            Some(node) => (StatusCode::OK, node.clone()),
            None => (StatusCode::NOT_FOUND, failure(404, "NotFound", "there is no such node")),
        },
        ["apis", "apps", "v1", "namespaces", namespace, "daemonsets", name] => match &locked.daemon_set {
            Some((code, body)) if [*namespace, *name] == DAEMON_SET => {
                (StatusCode::from_u16(*code).expect("a status"), body.clone())
            }
            _ => (StatusCode::NOT_FOUND, failure(404, "NotFound", "there is no such DaemonSet")),
        },
        _ => (StatusCode::NOT_FOUND, failure(404, "NotFound", "there is no such resource")),
    };
    respond(status, &body)
}

fn respond(status: StatusCode, body: &Value) -> io::Result<Response<Body>> {
    let body = Either::Left(Full::from(body.to_string()));
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(body);
    response.map_err(io::Error::other)
}

fn failure(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure",
        "code": code, "reason": reason, "message": message,
    })
}

async fn stream(mut events: UnboundedReceiver<Value>, mut body: Sender<Bytes>) {
    while let Some(event) = events.recv().await {
        if body.send_data(format!("{event}\n").into()).await.is_err() {
            return; // nobody watches any more
        }
    }
}
