// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Metrics of application and sidecar at one port: the pod's annotations name the sidecar's, and a variable of the
//! sidecar keeps what they said.

use interceptor_config::parse_bool;
use serde_json::json;

use crate::{istio::pod, malformed::Object};

const MERGE: &str = "prometheus.istio.io/merge-metrics";
/// Without the punctuation, by which Prometheus does not tell names apart either.
const PORT: &str = "prometheus_io_port";
const PATH: &str = "prometheus_io_path";
const SCRAPE: &str = "prometheus_io_scrape";
const VARIABLE: &str = "ISTIO_PROMETHEUS_ANNOTATIONS";

pub(super) fn merge(pod: &mut Object, status_port: u64, by_default: bool) {
    let said = |key: &str| {
        let mut found = pod::annotations(pod).filter(|(name, _value)| plain(name) == key);
        found.next().map(|(_name, value)| value.to_owned())
    };
    let is_wanted = pod::annotation(pod, MERGE).and_then(parse_bool).unwrap_or(by_default);
    let is_scraped = said(SCRAPE).and_then(|value| parse_bool(&value)).unwrap_or(true);
    let (port, path, scrape) = (said(PORT), said(PATH), said(SCRAPE));
    let target = status_port.to_string();
    // Somebody has set the sidecar's port already: the user, or an earlier injection.
    if !is_wanted || !is_scraped || port.as_deref() == Some(&target) {
        return;
    }
    if [&port, &path, &scrape]
        .iter()
        .any(|said| said.as_ref().is_some_and(|said| !said.is_empty()))
    {
        let text = |said: Option<String>| said.unwrap_or_default();
        let kept = json!({ "scrape": text(scrape), "path": text(path), "port": text(port) });
        if let Some(sidecar) = pod::sidecar_mut(pod) {
            pod::add_variable(sidecar, VARIABLE, &kept.to_string());
        }
    }
    pod::remove_annotations(pod, is_about_scraping);
    for (name, value) in [("port", target), ("path", "/stats/prometheus".to_owned()), ("scrape", "true".to_owned())] {
        pod::set(pod, "annotations", &format!("prometheus.io/{name}"), value);
    }
}

/// Removes the annotations of an earlier injection.
pub(in crate::istio) fn forget(pod: &mut Object, status_port: u64) {
    let target = status_port.to_string();
    let is_ours = pod::annotations(pod).any(|(name, value)| plain(name) == PORT && value == target);
    if is_ours {
        pod::remove_annotations(pod, is_about_scraping);
    }
}

fn is_about_scraping(name: &str) -> bool {
    [PORT, PATH, SCRAPE].contains(&plain(name).as_str())
}

fn plain(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    name.chars().map(letter).collect()
}
