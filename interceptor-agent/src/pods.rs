// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The pods of this node: a cache that a watch keeps up to date, and one question to the API server for what the cache
//! does not know yet. It decides nothing.

use std::{
    fmt, pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt as _;
use interceptor_config::kubernetes;
use interceptor_wire as wire;
use kube::{
    Api, Client,
    core::{ApiResource, GroupVersionKind, Object},
    runtime::{
        WatchStreamExt as _,
        reflector::{self, ObjectRef, Store},
        watcher,
    },
};
use tokio::{sync::watch, time::timeout};

use crate::status::Status;

/// A pod as the API server shows it, as far as it is read.
type ApiPod = Object<kubernetes::Spec, Status>;

/// How long the API server may take for one pod. It is asked once; kubelet tries again.
const ANSWER: Duration = Duration::from_secs(3);

/// Static pods are not made from the API. What stands for them there has a UID of its own, and the one that the
/// runtime knows in this annotation
/// ([`types.go`](https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/kubelet/types/pod_update.go#L29)).
///
/// It can be believed: kubelet starts no pod that was made with it, and nobody can add it later
/// ([`validation.go`](https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/apis/core/validation/validation.go),
/// `ValidatePodSpecificAnnotationUpdates`). `kubernetes.io/config.hash`, which says the same, can be written by whoever
/// makes a pod.
const MIRRORED: &str = "kubernetes.io/config.mirror";

/// The pods of this node.
#[derive(Clone)]
pub(crate) struct Pods {
    client: Client,
    resource: ApiResource,
    known: Store<ApiPod>,
    synced: Arc<AtomicBool>,
    changed: watch::Sender<()>,
}

/// A pod as it is now.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    pub(crate) pod: kubernetes::Pod,
    pub(crate) status: Status,
    pub(crate) resource_version: Option<String>,
    /// Whether it is being deleted.
    pub(crate) is_going: bool,
}

impl Current {
    /// Namespace and name, as people write them.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.pod.metadata.namespace, self.pod.metadata.name)
    }
}

/// Why a pod was not found.
#[derive(Debug)]
pub(crate) enum LookupError {
    NotFound { pod: String },
    OtherUid { pod: String, there: String, asked: String },
    Unreachable { pod: String, cause: String },
}

impl Pods {
    /// The cache, empty at first, and what keeps it up to date for as long as it is awaited.
    pub(crate) fn new(client: Client, node_name: &str) -> (Self, impl Future<Output = ()> + use<>) {
        let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("", "v1", "Pod"), "pods");
        let writer = reflector::store::Writer::new(resource.clone());
        let pods = Self {
            known: writer.as_reader(),
            synced: Arc::default(),
            changed: watch::Sender::default(),
            client: client.clone(),
            resource: resource.clone(),
        };
        let of_this_node = watcher::Config::default().fields(&format!("spec.nodeName={node_name}"));
        let watch = follow(writer, Api::all_with(client, &resource), of_this_node, pods.clone());
        (pods, watch)
    }

    /// Whether the cache has been filled once. It stays true when the API server is lost.
    pub(crate) fn is_synced(&self) -> bool {
        self.synced.load(Ordering::Relaxed)
    }

    /// The pod that is meant. A pod of the same name with another UID is another pod.
    pub(crate) async fn find(&self, wanted: &wire::Pod) -> Result<kubernetes::Pod, LookupError> {
        if let Some(pod) = self.known(wanted) {
            return Ok(pod);
        }
        let name = || format!("{}/{}", wanted.namespace, wanted.name);
        let api: Api<ApiPod> = Api::namespaced_with(self.client.clone(), wanted.namespace.as_str(), &self.resource);
        let unreachable = |cause| LookupError::Unreachable { pod: name(), cause };
        let answer = timeout(ANSWER, api.get_opt(wanted.name.as_str())).await;
        let answer = answer.map_err(|_elapsed| unreachable(format!("no answer within {} s", ANSWER.as_secs())))?;
        let pod = answer
            .map_err(|error| unreachable(chain(&error)))?
            .ok_or_else(|| LookupError::NotFound { pod: name() })?;
        let pod = read(&pod);
        match &wanted.uid {
            Some(uid) if !is_of(&pod, uid) => {
                Err(LookupError::OtherUid { pod: name(), there: pod.metadata.uid, asked: uid.to_string() })
            }
            _ => Ok(pod),
        }
    }

    /// All pods that are known.
    pub(crate) fn all(&self) -> Vec<Current> {
        let current = |pod: &Arc<ApiPod>| Current {
            pod: read(pod),
            status: pod.status.clone().unwrap_or_default(),
            resource_version: pod.metadata.resource_version.clone(),
            is_going: pod.metadata.deletion_timestamp.is_some(),
        };
        self.known.state().iter().map(current).collect()
    }

    /// Tells of pods that change from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The same from the cache alone.
    pub(crate) fn known(&self, wanted: &wire::Pod) -> Option<kubernetes::Pod> {
        let key = ObjectRef::new_with(wanted.name.as_str(), self.resource.clone()).within(wanted.namespace.as_str());
        let pod = read(&*self.known.get(&key)?);
        wanted.uid.as_ref().is_none_or(|uid| is_of(&pod, uid)).then_some(pod)
    }
}

/// Follows the pods, forever. After an error it waits, longer each time, and goes on.
async fn follow(writer: reflector::store::Writer<ApiPod>, api: Api<ApiPod>, of_this_node: watcher::Config, pods: Pods) {
    let events = watcher(api, of_this_node)
        .default_backoff()
        .modify(|pod| pod.metadata.managed_fields = None);
    let mut events = pin::pin!(reflector::reflector(writer, events));
    while let Some(event) = events.next().await {
        pods.changed.send_replace(());
        match event {
            Ok(watcher::Event::InitDone) => {
                if !pods.synced.swap(true, Ordering::Relaxed) {
                    tracing::info!("the pods of this node are known");
                }
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(
                "Failed to watch the pods of this node, trying again; pods that are known already are served: {}",
                chain(&error)
            ),
        }
    }
}

fn read(pod: &ApiPod) -> kubernetes::Pod {
    let metadata = &pod.metadata;
    kubernetes::Pod {
        metadata: kubernetes::Metadata {
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
            uid: metadata.uid.clone().unwrap_or_default(),
            labels: metadata.labels.clone().unwrap_or_default(),
            annotations: metadata.annotations.clone().unwrap_or_default(),
        },
        spec: pod.spec.clone(),
    }
}

/// The UID that kubelet and the runtime know.
pub(crate) fn uid_on_the_node(pod: &kubernetes::Pod) -> &str {
    pod.metadata.annotations.get(MIRRORED).unwrap_or(&pod.metadata.uid)
}

fn is_of(pod: &kubernetes::Pod, uid: &wire::PodUid) -> bool {
    pod.metadata.uid == uid.as_str() || uid_on_the_node(pod) == uid.as_str()
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
    let mut texts: Vec<String> = Vec::new();
    for text in causes {
        // Some errors repeat their cause.
        if texts.last().is_none_or(|last| !last.contains(&text)) {
            texts.push(text);
        }
    }
    texts.join(": ")
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { pod } => write!(f, "The API server has no pod {pod}; it was deleted meanwhile"),
            Self::OtherUid { pod, there, asked } => write!(
                f,
                "The pod {pod} of the API server has the UID {there}, not {asked}; it was replaced meanwhile"
            ),
            Self::Unreachable { pod, cause } => write!(f, "Failed to ask the API server for the pod {pod}: {cause}"),
        }
    }
}
