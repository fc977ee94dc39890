// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Posts a review to Istio's injector, as the API server would. The injector is reached
//!
//! * by its URL, if its configuration has one;
//! * by the host that the caller names, in place of the Service: istiod, or a forwarded port;
//! * through the API server, which passes requests on to a Service. istioctl forwards a port of istiod's pod instead.
//!   The API server does not check the certificate of what it passes requests on to.

use anyhow::{Context as _, Result, bail};
use axum::{
    body::{Body, to_bytes},
    http::{Method, Request, Uri, header},
};
use k8s_openapi::api::admissionregistration::v1::{ServiceReference, WebhookClientConfig};
use kube::{Client, Config, client::Body as KubeBody};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::Value;

use super::cluster::Cluster;

/// Of an answer. A pod is smaller, and so is a patch of it.
const LARGEST: usize = 8 << 20;
/// The port of a Service, and the path, where a configuration names none.
const PORT: i32 = 443;
const PATH: &str = "/";

pub(super) async fn review(
    cluster: &Cluster,
    injector: &WebhookClientConfig,
    host: Option<&str>,
    review: &Value,
) -> Result<Value> {
    let (client, path, place) = way(cluster, injector, host)?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(&path)
        .header(header::CONTENT_TYPE, "application/json")
        .body(KubeBody::from(review.to_string().into_bytes()))
        .with_context(|| format!("The path of Istio's injector is none: {path:?}"))?;
    let failed = || format!("Istio's injector does not answer at {place}");
    let answer = client.send(request).await.with_context(failed)?;
    let status = answer.status();
    let body = to_bytes(Body::new(answer.into_body()), LARGEST).await.with_context(failed)?;
    if !status.is_success() {
        let said = String::from_utf8_lossy(&body);
        let said: String = said.trim().chars().take(500).collect();
        bail!(
            "Istio's injector at {place} answers with status {status}: {}",
            said.escape_debug()
        );
    }
    serde_json::from_slice(&body).with_context(|| format!("Istio's injector at {place} answers with no review"))
}

/// The client, the path to post to, and how to call the place.
fn way(cluster: &Cluster, injector: &WebhookClientConfig, host: Option<&str>) -> Result<(Client, String, String)> {
    let authority = injector.ca_bundle.as_ref().map(|bundle| bundle.0.as_slice());
    match (&injector.url, &injector.service) {
        (Some(url), _) => {
            let uri: Uri = url
                .parse()
                .with_context(|| format!("The URL of Istio's injector is none: {url:?}"))?;
            let path = uri.path_and_query().map_or(PATH, |path| path.as_str()).to_owned();
            Ok((direct(uri, authority, None)?, path, url.clone()))
        }
        (None, Some(service)) => {
            let ServiceReference { name, namespace, path, port } = service;
            let (path, port) = (path.as_deref().unwrap_or(PATH), port.unwrap_or(PORT));
            if let Some(host) = host {
                let url = format!("https://{host}:{port}{path}");
                let uri: Uri = url.parse().with_context(|| format!("{host:?} is no host (--xds-address)"))?;
                let client = direct(uri, authority, Some(format!("{name}.{namespace}.svc")))?;
                return Ok((client, path.to_owned(), url));
            }
            let path = format!("/api/v1/namespaces/{namespace}/services/https:{name}:{port}/proxy{path}");
            Ok((
                cluster.client().clone(),
                path,
                format!("the Service {namespace}/{name}, through the API server"),
            ))
        }
        (None, None) => bail!("The webhook of Istio's injector has neither a URL nor a Service"),
    }
}

/// A client that talks to the injector itself, and trusts nobody but its authority.
fn direct(uri: Uri, authority: Option<&[u8]>, name: Option<String>) -> Result<Client> {
    if uri.scheme_str() != Some("https") {
        bail!("The URL of Istio's injector is not one of https: {uri}");
    }
    let mut config = Config::new(uri);
    if let Some(authority) = authority {
        let certificates = CertificateDer::pem_slice_iter(authority).map(|found| found.map(|one| one.to_vec()));
        let certificates: Vec<_> = certificates
            .collect::<Result<_, _>>()
            .context("The caBundle of Istio's webhook has no certificates in PEM")?;
        if certificates.is_empty() {
            bail!("The caBundle of Istio's webhook has no certificates in PEM");
        }
        config.root_cert = Some(certificates);
    }
    config.default_retry = false;
    config.tls_server_name = name;
    Client::try_from(config).context("Failed to make a client of Istio's injector")
}
