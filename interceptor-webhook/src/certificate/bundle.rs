// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the API server trusts: `caBundle` of each webhook of the configuration that is ours.

use json_patch::Patch;
use k8s_openapi::{
    ByteString,
    api::admissionregistration::v1::{MutatingWebhook, MutatingWebhookConfiguration},
};
use serde_json::json;

/// The end of the names of our webhooks. Others in the same configuration are not touched.
pub(crate) const DOMAIN: &str = "interceptor.dev";

/// What gives all of our webhooks this bundle; `None` if they have it.
pub(super) fn patch(configuration: &MutatingWebhookConfiguration, bundle: &str) -> Option<Patch> {
    let wanted = ByteString(bundle.into());
    let without = ours(configuration).filter(|(_, webhook)| webhook.client_config.ca_bundle.as_ref() != Some(&wanted));
    let operations: Vec<_> = without
        .flat_map(|(index, webhook)| {
            // The list may have changed in between.
            let test = json!({ "op": "test", "path": format!("/webhooks/{index}/name"), "value": webhook.name });
            let path = format!("/webhooks/{index}/clientConfig/caBundle");
            [test, json!({ "op": "add", "path": path, "value": wanted })]
        })
        .collect();
    if operations.is_empty() {
        return None;
    }
    serde_json::from_value(operations.into()).ok()
}

/// Whether all of our webhooks are trusted with what this authority signs.
pub(super) fn trusts(configuration: &MutatingWebhookConfiguration, authority: &str) -> bool {
    let mut webhooks = ours(configuration).peekable();
    webhooks.peek().is_some()
        && webhooks.all(|(_, webhook)| {
            let bundle = webhook
                .client_config
                .ca_bundle
                .as_ref()
                .map(|ByteString(bundle)| bundle.as_slice());
            String::from_utf8_lossy(bundle.unwrap_or_default()).contains(authority.trim())
        })
}

fn ours(configuration: &MutatingWebhookConfiguration) -> impl Iterator<Item = (usize, &MutatingWebhook)> {
    let webhooks = configuration.webhooks.iter().flatten().enumerate();
    webhooks.filter(|(_, webhook)| webhook.name.strip_suffix(DOMAIN).is_some_and(|before| before.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn configuration(webhooks: &Value) -> MutatingWebhookConfiguration {
        serde_json::from_value(json!({ "metadata": { "name": "zz-interceptor" }, "webhooks": webhooks })).unwrap()
    }

    fn webhook(name: &str, bundle: Option<&str>) -> Value {
        let bundle = bundle.map(|bundle| ByteString(bundle.into()));
        json!({
            "name": name,
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "clientConfig": { "caBundle": bundle },
        })
    }

    #[test]
    fn all_of_ours_get_the_bundle_and_no_others() {
        let before = configuration(&json!([
            webhook("rewrite.interceptor.dev", None),
            webhook("sidecar-injector.istio.io", Some("istiod's")),
            webhook("notinterceptor.dev", None),
            webhook("other.interceptor.dev", Some("old")),
        ]));
        let mut changed = serde_json::to_value(&before).unwrap();
        json_patch::patch(&mut changed, &patch(&before, "new").expect("something to do")).unwrap();
        let changed: MutatingWebhookConfiguration = serde_json::from_value(changed).unwrap();
        let bundles: Vec<_> = changed
            .webhooks
            .iter()
            .flatten()
            .map(|one| one.client_config.ca_bundle.clone())
            .collect();
        let new = Some(ByteString("new".into()));
        assert_eq!(bundles, [new.clone(), Some(ByteString("istiod's".into())), None, new]);
        assert_eq!(patch(&changed, "new"), None);
    }

    #[test]
    fn an_authority_is_trusted_if_all_of_ours_trust_it() {
        let all = configuration(&json!([webhook("a.interceptor.dev", Some("old\nnew\n"))]));
        assert!(trusts(&all, "new\n") && !trusts(&all, "newer"));
        let some = configuration(&json!([
            webhook("a.interceptor.dev", Some("old\nnew\n")),
            webhook("b.interceptor.dev", Some("old\n")),
        ]));
        assert!(!trusts(&some, "new"));
        assert!(!trusts(&configuration(&json!([])), "new"));
    }
}
