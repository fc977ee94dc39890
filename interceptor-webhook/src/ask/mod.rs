// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Asks a cluster for `interceptor inject`, which has no client of Kubernetes itself: one question, one answer, both in
//! JSON. The question says what to ask, the arguments how to reach the cluster. Nothing is changed.

mod cluster;
mod injector;

use std::{
    io::{self, Read as _, Write as _},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::admissionregistration::v1::WebhookClientConfig;
use serde::Deserialize;
use serde_json::Value;
use tokio::{runtime, time::timeout};

use self::cluster::Cluster;
use crate::args::AskArgs;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Question {
    /// A `ConfigMap`.
    ConfigMap { namespace: String, name: String },
    /// How to reach Istio's injector of this revision; `null` if there is none.
    Injector { revision: String },
    /// What that injector answers to a review.
    Review {
        injector: Box<WebhookClientConfig>,
        /// Where it is reached in place of its Service.
        host: Option<String>,
        /// The namespace is that of the kubeconfig if it is missing.
        review: Value,
    },
}

pub(crate) fn run(args: &AskArgs) -> Result<()> {
    if args.for_version != VERSION {
        bail!(
            "This is interceptor-webhook {VERSION}, and interceptor-inject is of version {}; put both of one release \
             beside each other",
            args.for_version.escape_debug()
        );
    }
    let mut text = String::new();
    io::stdin()
        .lock()
        .read_to_string(&mut text)
        .context("Failed to read the question")?;
    let question = serde_json::from_str(&text).context("The question is none")?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let patience = Duration::from_secs(args.patience);
    let answer = runtime.context("Failed to start the event loop")?.block_on(async {
        let late = || format!("There was no answer within {patience:?} (--kubeclient-timeout)");
        timeout(patience, answer(args, question)).await.with_context(late)?
    })?;
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(answer.to_string().as_bytes()).and_then(|()| stdout.flush());
    written.context("Failed to write the answer")
}

async fn answer(args: &AskArgs, question: Question) -> Result<Value> {
    let cluster = Cluster::new(args).await?;
    match question {
        Question::ConfigMap { namespace, name } => cluster.config_map(&namespace, &name).await,
        Question::Injector { revision } => cluster.injector(&revision).await,
        Question::Review { injector, host, mut review } => {
            if let Some(request) = review.get_mut("request").and_then(Value::as_object_mut) {
                request.entry("namespace").or_insert_with(|| cluster.namespace().into());
            }
            injector::review(&cluster, &injector, host.as_deref(), &review).await
        }
    }
}
