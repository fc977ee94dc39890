// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is let in: POST of JSON, not too large, not too slow, and not too much at a time. The rest is for `review`.

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Extension, Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use http_body_util::LengthLimitError;
use tokio::time::timeout;

use super::{fairness::Peer, places::Places};
use crate::{
    metrics::Metrics,
    review::{Decision, Refused, Reviewed, review},
    work::Work,
};

/// The largest body; the same as istiod's
/// ([`webhook.go`](https://github.com/istio/istio/blob/1.27.0/pkg/kube/inject/webhook.go)).
const LARGEST: usize = 6 << 20;
/// A body of more bytes is a large one.
const LARGE: usize = 256 << 10;
/// Large bodies at a time.
const LARGE_ONES: usize = 4;
/// Other bodies at a time.
const SMALL_ONES: usize = 64;

/// Lets requests in, and answers them.
pub(crate) struct Door {
    work: Work,
    /// Until a body has to be here.
    patience: Duration,
    metrics: Metrics,
    small: Places,
    large: Places,
}

/// A status, and why.
type Refusal = (StatusCode, String);

impl Door {
    pub(crate) fn new(work: Work, patience: Duration, metrics: Metrics) -> Self {
        Self {
            work,
            patience,
            metrics,
            small: Places::new(SMALL_ONES),
            large: Places::new(LARGE_ONES),
        }
    }

    async fn answer(&self, peer: Peer, request: Request) -> Result<Response, Refusal> {
        let (head, body) = request.into_parts();
        if head.method != Method::POST {
            return Err((StatusCode::METHOD_NOT_ALLOWED, "only POST is answered here".to_owned()));
        }
        let length = length(&head.headers)?;
        if length == Some(0) {
            return Err(refusal(&Refused::Empty));
        }
        if !is_json(&head.headers) {
            let message = "the Content-Type is not application/json".to_owned();
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        let at_a_time = if length.is_some_and(|length| length <= LARGE) {
            &self.small
        } else {
            &self.large
        };
        let place = at_a_time.take(peer.0);
        let body = tokio::select! {
            biased;
            body = timeout(self.patience, read(body)) => {
                body.map_err(|_late| (StatusCode::REQUEST_TIMEOUT, "the body did not come in time".to_owned()))?
            }
            () = place => {
                let message = "others need the place of this request, the body of which is not here yet";
                return Err((StatusCode::SERVICE_UNAVAILABLE, message.to_owned()));
            }
        };
        let started = Instant::now();
        // Bounded by the size of the body.
        let reviewed = review(&body?, &self.work).map_err(|refused| refusal(&refused))?;
        self.metrics.reviewed(&reviewed.decision, started.elapsed());
        log(&reviewed);
        Ok(([(header::CONTENT_TYPE, "application/json")], reviewed.body).into_response())
    }
}

/// Everything below the path, because istiod's clients may add pairs of cluster and network to it.
pub(crate) fn routes(door: Arc<Door>, path: &str) -> Router {
    Router::new()
        .route(path, axum::routing::any(handle))
        .route(&format!("{path}/{{*pairs}}"), axum::routing::any(handle))
        .with_state(door)
}

async fn handle(State(door): State<Arc<Door>>, Extension(peer): Extension<Peer>, request: Request) -> Response {
    door.answer(peer, request).await.unwrap_or_else(|(status, message)| {
        door.metrics.refused(status.as_u16());
        tracing::warn!(status = status.as_u16(), "a request is refused: {}", message.escape_debug());
        (status, format!("{message}\n")).into_response()
    })
}

fn log(Reviewed { body: _, decision, title }: &Reviewed) {
    let pod = title.escape_debug();
    match decision {
        Decision::Changed { done, warnings } if warnings.is_empty() => tracing::info!(%pod, "{done}"),
        Decision::Changed { .. } | Decision::Failed(_) => tracing::warn!(%pod, "{}", decision.warnings().join("; ")),
        Decision::Denied { why, code: _ } => tracing::warn!(%pod, "denied: {}", why.escape_debug()),
        Decision::Unchanged => tracing::debug!(%pod, "unchanged"),
        Decision::LeftAlone(reason) if reason.is_surprising() => tracing::warn!(%pod, "left alone, because {reason}"),
        Decision::LeftAlone(reason) => tracing::debug!(%pod, "left alone, because {reason}"),
    }
}

async fn read(body: Body) -> Result<Bytes, Refusal> {
    to_bytes(body, LARGEST).await.map_err(|error| {
        if error.source().is_some_and(<dyn Error>::is::<LengthLimitError>) {
            too_large()
        } else {
            (StatusCode::BAD_REQUEST, format!("the body broke off: {error}"))
        }
    })
}

/// The bytes that are announced, if they are. More than the largest body is not read at all.
fn length(headers: &HeaderMap) -> Result<Option<usize>, Refusal> {
    let Some(length) = headers.get(header::CONTENT_LENGTH) else { return Ok(None) };
    match length.to_str().ok().and_then(|length| length.parse().ok()) {
        Some(length) if length <= LARGEST => Ok(Some(length)),
        _ => Err(too_large()),
    }
}

fn too_large() -> Refusal {
    (
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("the body is larger than {} MiB", LARGEST >> 20),
    )
}

/// Parameters, such as the character set, are accepted.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

fn refusal(refused: &Refused) -> Refusal {
    let status = match refused {
        Refused::Empty | Refused::NoReview(_) => StatusCode::BAD_REQUEST,
        Refused::TooManyValues => StatusCode::PAYLOAD_TOO_LARGE,
    };
    (status, refused.to_string())
}
