// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The alerts, tried by Prometheus's own tool: each fires in one case, and does not in another. That they name metrics
//! that there are is tested in `interceptor-agent`.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};
use testkit::promtool::promtool;

use crate::{chart, helm, objects::object};

/// Two hours, a value each minute, in Prometheus's notation: nothing for nearly all of the time, and then one event.
const EVENT: &str = "0+0x115 1+0x10";
/// An event each minute.
const EVENTS: &str = "0+1x125";
/// 100 events each minute.
const MANY: &str = "0+100x125";
const ZERO: &str = "0+0x125";
const ONE: &str = "1+0x125";
/// It was, for less than two minutes in ten.
const MOMENTS: &str = "0+0x107 1 0+0x8 1 0+0x10";

/// A series and its values.
type Series = (&'static str, &'static str);

struct Case {
    alert: &'static str,
    /// With these it fires, and no other alert does.
    fires: &'static [Series],
    /// With these no alert fires.
    quiet: &'static [Series],
}

const CASES: &[Case] = &[
    Case {
        alert: "InterceptorAgentDown",
        fires: &[("up{job='istio-system/interceptor-agent'}", ZERO)],
        quiet: &[
            ("up{job='interceptor-agent'}", ONE),
            ("up{job='other'}", ZERO),
            ("up{job='istio-system/interceptor-agent'}", "1+0x117 0+0x10"),
        ],
    },
    Case {
        alert: "InterceptorAgentNotReady",
        fires: &[("interceptor_obstacles{obstacle='bpffs'}", ONE), ("interceptor_obstacles{obstacle='kernel'}", ZERO)],
        quiet: &[
            ("interceptor_obstacles{obstacle='kernel'}", ZERO),
            ("interceptor_obstacles{obstacle='pods'}", MOMENTS),
        ],
    },
    Case {
        alert: "InterceptorPodsUnprotected",
        fires: &[("interceptor_pods_unprotected", ONE)],
        quiet: &[("interceptor_pods_unprotected", MOMENTS)],
    },
    Case {
        alert: "InterceptorPodsLeftOpen",
        fires: &[("interceptor_pods_without_programs_total{outcome='skipped'}", EVENT)],
        quiet: &[
            ("interceptor_pods_without_programs_total{outcome='skipped'}", ONE),
            ("interceptor_pods_without_programs_total{outcome='iptables'}", EVENT),
        ],
    },
    Case {
        alert: "InterceptorAddsRefused",
        fires: &[("interceptor_adds_total{outcome='refused'}", EVENTS)],
        quiet: &[
            ("interceptor_adds_total{outcome='refused'}", EVENT),
            ("interceptor_adds_total{outcome='enrolled'}", EVENTS),
        ],
    },
    Case {
        alert: "InterceptorAddsSlow",
        fires: &[
            ("interceptor_add_seconds_bucket{instance='a', le='5.0'}", ZERO),
            ("interceptor_add_seconds_bucket{instance='a', le='8.0'}", EVENTS),
            ("interceptor_add_seconds_bucket{instance='a', le='+Inf'}", EVENTS),
        ],
        quiet: &[
            ("interceptor_add_seconds_bucket{instance='a', le='0.1'}", EVENTS),
            ("interceptor_add_seconds_bucket{instance='a', le='5.0'}", EVENTS),
            ("interceptor_add_seconds_bucket{instance='a', le='8.0'}", EVENTS),
            ("interceptor_add_seconds_bucket{instance='a', le='+Inf'}", EVENTS),
        ],
    },
    Case {
        alert: "InterceptorRepairFails",
        fires: &[("istio_cni_repair_pods_repaired_total{type='repair', result='fail'}", EVENTS)],
        quiet: &[
            ("istio_cni_repair_pods_repaired_total{type='repair', result='fail'}", EVENT),
            ("istio_cni_repair_pods_repaired_total{type='repair', result='success'}", EVENTS),
        ],
    },
    Case {
        alert: "InterceptorPluginConflict",
        fires: &[("interceptor_install_conflicts_total", EVENT)],
        quiet: &[("interceptor_install_conflicts_total", ONE)],
    },
    Case {
        alert: "InterceptorRefreshFails",
        fires: &[("interceptor_refresh_total{outcome='failed'}", EVENTS)],
        quiet: &[
            ("interceptor_refresh_total{outcome='failed'}", EVENT),
            ("interceptor_refresh_total{outcome='switched'}", EVENTS),
        ],
    },
    Case {
        alert: "InterceptorStrangerAtSocket",
        fires: &[("interceptor_refused_connections_total{reason='foreign'}", EVENT)],
        quiet: &[
            ("interceptor_refused_connections_total{reason='foreign'}", ONE),
            ("interceptor_refused_connections_total{reason='silent'}", EVENTS),
        ],
    },
    Case {
        alert: "InterceptorSidecarAbsent",
        fires: &[("interceptor_connections_total{reason='no_listener'}", MANY)],
        quiet: &[
            ("interceptor_connections_total{reason='no_listener'}", EVENTS),
            ("interceptor_connections_total{reason='outbound_cidr_included'}", MANY),
        ],
    },
    Case {
        alert: "InterceptorSlotsUsedUp",
        fires: &[("interceptor_connections_total{reason='no_slot'}", EVENT)],
        quiet: &[("interceptor_connections_total{reason='no_slot'}", ONE)],
    },
    Case {
        alert: "InterceptorGuardDrops",
        fires: &[("interceptor_connections_total{reason='guard_outsider'}", EVENTS)],
        quiet: &[
            ("interceptor_connections_total{reason='guard_outsider'}", ONE),
            ("interceptor_connections_total{reason='proxy_owner'}", MANY),
        ],
    },
    Case {
        alert: "InterceptorTampering",
        fires: &[("interceptor_connections_total{reason='slot_as_source'}", EVENT)],
        quiet: &[
            ("interceptor_connections_total{reason='slot_as_source'}", ONE),
            ("interceptor_connections_total{reason='no_route'}", EVENTS),
        ],
    },
    Case {
        alert: "InterceptorWebhookDown",
        fires: &[("up{job='istio-system/interceptor-webhook'}", ZERO)],
        quiet: &[("up{job='istio-system/interceptor-webhook'}", ONE)],
    },
    Case {
        alert: "InterceptorWebhookReviewsFail",
        fires: &[("interceptor_webhook_reviews_total{outcome='failed'}", EVENT)],
        quiet: &[
            ("interceptor_webhook_reviews_total{outcome='failed'}", ONE),
            ("interceptor_webhook_reviews_total{outcome='rewritten'}", EVENTS),
        ],
    },
    Case {
        alert: "InterceptorWebhookDeniesPods",
        fires: &[("interceptor_webhook_reviews_total{outcome='denied'}", EVENT)],
        quiet: &[
            ("interceptor_webhook_reviews_total{outcome='denied'}", ONE),
            ("interceptor_webhook_reviews_total{outcome='injected'}", EVENTS),
        ],
    },
    Case {
        alert: "InterceptorWebhookCertificateExpires",
        // Seconds since 1970, where the two hours begin.
        fires: &[("interceptor_webhook_certificate_expiry_timestamp_seconds", "600000+0x125")],
        quiet: &[("interceptor_webhook_certificate_expiry_timestamp_seconds", "700000+0x125")],
    },
    Case {
        alert: "InterceptorWebhookCertificateFails",
        fires: &[("interceptor_webhook_certificate_failures_total", EVENTS)],
        quiet: &[("interceptor_webhook_certificate_failures_total", EVENT)],
    },
];

/// What fires after two hours with these series has to be this alert, or nothing.
fn fires(series: &[Series], alert: Option<&str>) {
    let input: Vec<Value> = series
        .iter()
        .map(|(series, values)| json!({ "series": series.replace('\'', "\""), "values": values }))
        .collect();
    let expected: Vec<Value> = alert
        .iter()
        .map(|alert| json!({ "labels": format!("{{alertname=\"{alert}\"}}"), "value": 1 }))
        .collect();
    let tests = json!({
        "rule_files": [chart().join("files/alerts.yaml")],
        "evaluation_interval": "1m",
        "tests": [{
            "interval": "1m",
            "input_series": input,
            "promql_expr_test": [{
                "expr": "count by (alertname) (ALERTS{alertstate=\"firing\"})",
                "eval_time": "2h",
                "exp_samples": expected,
            }],
        }],
    });
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("tests.yaml");
    fs::write(&file, tests.to_string()).expect("write the tests"); // JSON is YAML
    let tried = promtool(&["test", "rules", file.to_str().expect("UTF-8")]);
    assert_eq!(tried.err(), None, "{series:?} {alert:?}");
}

#[test]
fn promtool_finds_nothing_wrong() {
    let file = chart().join("files/alerts.yaml");
    let checked = promtool(&["check", "rules", "--lint-fatal", file.to_str().expect("UTF-8")]);
    let checked = checked.unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(checked.contains(&format!("SUCCESS: {} rules found", CASES.len())), "{checked}");
}

#[test]
fn each_fires_alone_in_its_case() {
    for case in CASES {
        fires(case.fires, Some(case.alert));
    }
}

#[test]
fn none_fires_when_nothing_lasts_or_something_else_happens() {
    for case in CASES {
        fires(case.quiet, None);
    }
}

#[test]
fn the_chart_installs_the_alerts_of_the_file() {
    let rendered = helm().render(&json!({ "alerts": { "enabled": true } })).unwrap();
    let groups = object(&rendered, "PrometheusRule")["spec"]["groups"].as_array().unwrap();
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
    let installed: BTreeSet<&str> = rules.map(|rule| rule["alert"].as_str().unwrap()).collect();
    assert_eq!(installed, CASES.iter().map(|case| case.alert).collect());
    let file = fs::read_to_string(chart().join("files/alerts.yaml")).unwrap();
    let read: Value = serde_saphyr::from_str(&file).unwrap();
    assert_eq!(read["groups"], json!(groups));
}
