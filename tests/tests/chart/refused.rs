// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Values that are refused, and what is said of them.

use serde_json::{Value, json};

use crate::helm;

/// Values, and what the error has to name.
fn refused() -> Vec<(Value, &'static str)> {
    vec![
        (json!({ "ambient": { "enabled": true } }), "there is no ambient mode"),
        (json!({ "cni": { "ambient": { "enabled": true } } }), "there is no ambient mode"),
        (json!({ "profile": "ambient" }), "profile"),
        (
            json!({ "global": { "networkPolicy": { "enabled": true } } }),
            "network policies do not apply",
        ),
        (json!({ "image": "install-cni" }), "is Istio's image"),
        (json!({ "healthPort": 9000, "metricsPort": 9000 }), "are the same"),
        (json!({ "unknown": true }), "unknown"),
        (json!({ "repair": { "unknown": true } }), "unknown"),
        (json!({ "global": { "unknown": true } }), "unknown"),
        (json!({ "cni": { "unknown": true } }), "unknown"),
        (json!({ "cni": { "cni": {} } }), "cni"),
        (json!({ "cni": { "global": {} } }), "cni"),
        (json!({ "chained": "yes" }), "chained"),
        (json!({ "tag": 1.2 }), "tag"),
        (json!({ "variant": "debug" }), "variant"),
        (json!({ "pullPolicy": "Sometimes" }), "pullPolicy"),
        (json!({ "logging": { "level": "loud" } }), "level"),
        (json!({ "cniBinDir": "opt/cni/bin" }), "cniBinDir"),
        (json!({ "cniConfFileName": "../list.conflist" }), "cniConfFileName"),
        (json!({ "provider": "other" }), "provider"),
        (json!({ "platform": "other" }), "platform"),
        (json!({ "excludeNamespaces": ["a,b"] }), "excludeNamespaces"),
        (json!({ "excludeNamespaces": "kube-system" }), "excludeNamespaces"),
        (json!({ "env": { "A-B": "c" } }), "A-B"),
        (json!({ "env": { "A": 1 } }), "env"),
        (json!({ "healthPort": 0 }), "healthPort"),
        (json!({ "metricsPort": 65536 }), "metricsPort"),
        (json!({ "terminationGracePeriodSeconds": 1 }), "terminationGracePeriodSeconds"),
        (json!({ "repair": { "brokenPodLabelValue": "a b" } }), "brokenPodLabelValue"),
        (json!({ "podMonitor": { "interval": "soon" } }), "interval"),
        (json!({ "global": { "resourceScope": "some" } }), "resourceScope"),
        (json!({ "agent": { "enabled": false } }), "nothing to install"),
        (
            json!({ "agent": { "enabled": false }, "webhook": { "enabled": true, "dataPath": "cni" } }),
            "cni needs the agent",
        ),
        (json!({ "webhook": { "unknown": true } }), "unknown"),
        (json!({ "webhook": { "mode": "ambient" } }), "mode"),
        (json!({ "webhook": { "mode": "plain" } }), "webhook.plain.envoyImage"),
        (
            json!({ "webhook": { "plain": { "nativeSidecars": true } } }),
            "Set that, or take it away",
        ),
        (
            json!({ "webhook": {
                "mode": "plain",
                "plain": { "envoyImage": "a", "envoyConfig": "b" },
                "revision": "default",
            } }),
            "without Istio",
        ),
        (json!({ "webhook": { "replicas": 0 } }), "replicas"),
        (json!({ "webhook": { "revision": "A" } }), "revision"),
        (json!({ "webhook": { "failurePolicy": "Retry" } }), "failurePolicy"),
        (json!({ "webhook": { "dataPath": "iptables" } }), "dataPath"),
        (json!({ "webhook": { "certificate": { "caBundle": "text" } } }), "caBundle"),
        (json!({ "webhook": { "certificate": { "secret": "a" } } }), "belong together"),
        (
            json!({ "webhook": { "certificate": { "certManager": { "enabled": true } } } }),
            "Name an Issuer",
        ),
        (
            json!({ "webhook": { "certificate": {
                "certManager": { "enabled": true, "issuer": { "name": "a" } },
                "secret": "a",
            } } }),
            "Choose one",
        ),
        (
            json!({ "webhook": { "certificate": { "certManager": { "issuer": { "kind": "Authority" } } } } }),
            "kind",
        ),
    ]
}

#[test]
fn what_cannot_be_meant_or_done_is_named() {
    let (values, words): (Vec<_>, Vec<_>) = refused().into_iter().unzip();
    for ((values, words), answer) in values.iter().zip(words).zip(helm().render_each(&values)) {
        let error = answer.err().unwrap_or_else(|| panic!("{values} is not refused"));
        assert!(error.contains(words), "{values}: {error}");
    }
}
