// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The dashboard: Prometheus understands its expressions, and the chart installs it as it is. No Grafana reads it here.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};
use testkit::promtool::promtool;

use crate::{chart, helm};

fn text() -> String {
    fs::read_to_string(chart().join("files/dashboard.json")).expect("read the dashboard")
}

fn panels() -> Vec<Value> {
    let dashboard: Value = serde_json::from_str(&text()).expect("JSON");
    dashboard["panels"].as_array().expect("panels").clone()
}

#[test]
fn prometheus_understands_every_expression() {
    let panels = panels();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let rules: Vec<Value> = targets
        .map(|target| {
            target["expr"]
                .as_str()
                .expect("an expression")
                .replace("$__rate_interval", "1m")
        })
        .enumerate()
        .map(|(number, expression)| json!({ "record": format!("expression_{number}"), "expr": expression }))
        .collect();
    let count = rules.len();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("rules.yaml");
    let rules = json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    fs::write(&file, rules.to_string()).expect("write the rules");
    let checked =
        promtool(&["check", "rules", file.to_str().expect("UTF-8")]).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(checked.contains(&format!("SUCCESS: {count} rules found")), "{checked}");
}

#[test]
fn panels_stand_beside_each_other() {
    let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels() {
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{panel}");
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|name| panel["gridPos"][name].as_u64().expect("a number"));
        assert!(x + w <= 24, "{panel}");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(cells.insert(cell), "{panel} covers another one");
        }
    }
}

#[test]
fn the_chart_installs_it_as_it_is_where_grafana_looks() {
    let of_values = |dashboards: Value| {
        let rendered = helm().render(&json!({ "dashboards": dashboards })).unwrap();
        let mut objects = rendered.objects.into_iter();
        objects.find(|object| object["metadata"]["name"] == "interceptor-dashboard")
    };
    assert_eq!(of_values(json!({})), None);
    let installed = of_values(json!({ "enabled": true })).unwrap();
    assert_eq!(installed["kind"], "ConfigMap");
    assert_eq!(installed["data"]["interceptor.json"], text());
    assert_eq!(installed["metadata"]["labels"]["grafana_dashboard"], "1");
    let labels = json!({ "enabled": true, "labels": { "a": "b" } });
    assert_eq!(of_values(labels).unwrap()["metadata"]["labels"]["a"], "b");
}
