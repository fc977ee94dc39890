// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Istio's Helm values: all of them for the template, and some for what the injector does itself.

use serde_json::Value;

use super::fault::ConfigError;

const PART: &str = "Istio's values";
const DEFAULT_IMAGE: &str = "proxyv2";
/// Kinds of images that Istio publishes, by which a tag may end.
const IMAGE_TYPES: [&str; 2] = ["-distroless", "-debug"];
/// The kind of image that has no suffix.
const DEFAULT_TYPE: &str = "default";

/// Istio's values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Values {
    pub(super) all: Value,
}

impl Values {
    pub(super) fn new(values: Value) -> Result<Self, ConfigError> {
        if values.is_object() {
            return Ok(Self { all: values });
        }
        let reason = "they are no object; give the value of the key `values` of the ConfigMap".to_owned();
        Err(ConfigError { part: PART, reason })
    }

    /// The image of `proxy` or `proxy_init`.
    pub(super) fn image(&self, container: &str, image_type: Option<&str>) -> String {
        let hub = self.text(&["global", "hub"]);
        let name = self.text(&["global", container, "image"]);
        let name = if name.is_empty() { DEFAULT_IMAGE.to_owned() } else { name };
        let tag = self.text(&["global", "tag"]);
        let variant = self.text(&["global", "variant"]);
        format!("{hub}/{name}:{}", with_type(&tag, image_type.unwrap_or(&variant)))
    }

    pub(super) fn cluster(&self) -> String {
        self.text(&["global", "multiCluster", "clusterName"])
    }

    pub(super) fn network(&self) -> String {
        self.text(&["global", "network"])
    }

    pub(super) fn holds_application(&self) -> bool {
        self.switch(&["global", "proxy", "holdApplicationUntilProxyStarts"])
    }

    pub(super) fn rewrites_probes(&self) -> bool {
        self.switch(&["sidecarInjectorWebhook", "rewriteAppHTTPProbe"])
    }

    fn switch(&self, path: &[&str]) -> bool {
        self.at(path) == Some(&Value::Bool(true))
    }

    /// A tag may be a number.
    fn text(&self, path: &[&str]) -> String {
        match self.at(path) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        }
    }

    fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&self.all, |at, name| at.get(name))
    }
}

fn with_type(tag: &str, image_type: &str) -> String {
    let plain = IMAGE_TYPES.iter().find_map(|known| tag.strip_suffix(known)).unwrap_or(tag);
    match image_type {
        "" => tag.to_owned(),
        DEFAULT_TYPE => plain.to_owned(),
        other => format!("{plain}-{other}"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1.29", "", "1.29")]
    #[case("1.29", "distroless", "1.29-distroless")]
    #[case("1.29-debug", "distroless", "1.29-distroless")]
    #[case("1.29-distroless", "default", "1.29")]
    #[case("1.29-distroless", "", "1.29-distroless")]
    #[case("1.29-other", "debug", "1.29-other-debug")]
    fn the_kind_of_image_is_a_suffix_of_the_tag(#[case] tag: &str, #[case] kind: &str, #[case] expected: &str) {
        assert_eq!(with_type(tag, kind), expected);
    }
}
