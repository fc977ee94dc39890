// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The agent has the capabilities that it needs, and says which one it lacks.

use testkit::{cluster::Cluster, wait_until};

use crate::{
    agent::{PLACE, end, obstacles, purge, spawn_with, stop, validated, wait_until_none_is_enrolled},
    daemon_set::CAPABILITIES,
    init_container::expect_enrolled,
    pods::{Running, import_image},
};

/// To hear of changes in the networks of pods. Without it, the agent looks from time to time.
const HEARING: &str = "NET_BROADCAST";

pub(crate) fn the_agent_names_the_capability_that_it_lacks(cluster: &Cluster) {
    purge(cluster);
    let mut deaf = spawn_with(cluster, &all_but(HEARING), &[]);
    while !deaf.line().contains(&format!("CAP_{HEARING}")) {}
    end(cluster, deaf);
    for lacking in CAPABILITIES.into_iter().filter(|name| *name != HEARING) {
        let agent = spawn_with(cluster, &all_but(lacking), &[]);
        let name = format!("CAP_{lacking}");
        let mut said = String::new();
        wait_until("the agent says what it lacks", || {
            said = obstacles(cluster);
            said.contains("CAP_")
        });
        let named: Vec<_> = said
            .split(|letter: char| !letter.is_ascii_alphabetic() && letter != '_')
            .filter(|word| word.starts_with("CAP_"))
            .collect();
        assert_eq!(named, [name], "{said}");
        end(cluster, agent);
    }
}

/// Nothing is mounted for it. containerd gives network namespaces names, so no process has to be looked at either.
pub(crate) fn a_pod_that_started_without_the_plugin_is_repaired_with_the_same_capabilities(cluster: &Cluster) {
    import_image(cluster);
    purge(cluster);
    cluster.apply(&[validated("early")]);
    wait_until("it is kept from running", || {
        let code = "{.status.initContainerStatuses[0].lastState.terminated.exitCode}";
        cluster.ask(&["get", "pod/early", "--output", &format!("jsonpath={code}")]) == "126"
    });
    let flags = [&["--install=true", "--repair-repair-pods=true"], &PLACE[..]].concat();
    let agent = spawn_with(cluster, &CAPABILITIES, &flags);
    cluster.wait_for("condition=Ready", &["pod/early"]);
    expect_enrolled(cluster, &[&Running::look(cluster, "early")]);
    cluster.delete(&["pod/early"]);
    wait_until_none_is_enrolled(cluster);
    let said = stop(agent).lines;
    assert!(said.iter().all(|line| !line.contains("CAP_")), "{said:#?}");
    purge(cluster);
}

fn all_but(lacking: &str) -> Vec<&'static str> {
    CAPABILITIES.into_iter().filter(|name| *name != lacking).collect()
}
