// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The agent has the capabilities that it needs, and says which one it lacks.

use testkit::{cluster::Cluster, wait_until};

use crate::{
    agent::{PLACE, end, obstacles, purge, spawn_with, validated, wait_until_none_is_enrolled},
    daemon_set::CAPABILITIES,
    init_container::expect_enrolled,
    pods::{Running, import_image},
};

/// Of the container that mends pods which started without the plugin.
const REPAIR: &str = "SYS_PTRACE";

pub(crate) fn without_one_of_its_capabilities_the_agent_is_not_ready_and_names_it(cluster: &Cluster) {
    purge(cluster);
    for lacking in CAPABILITIES {
        let others: Vec<_> = CAPABILITIES.into_iter().filter(|name| *name != lacking).collect();
        let agent = spawn_with(cluster, &others, &[]);
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

/// Nothing is mounted for it: it looks at the processes of the node.
pub(crate) fn a_pod_that_started_without_the_plugin_is_repaired_with_one_more_capability(cluster: &Cluster) {
    import_image(cluster);
    purge(cluster);
    cluster.apply(&[validated("early")]);
    wait_until("it is kept from running", || {
        let code = "{.status.initContainerStatuses[0].lastState.terminated.exitCode}";
        cluster.ask(&["get", "pod/early", "--output", &format!("jsonpath={code}")]) == "126"
    });
    let flags = [&["--install=true", "--repair-repair-pods=true"], &PLACE[..]].concat();
    let mut unable = spawn_with(cluster, &CAPABILITIES, &flags);
    while !unable.line().contains(&format!("CAP_{REPAIR}")) {}
    end(cluster, unable);
    let able = spawn_with(cluster, &[&CAPABILITIES[..], &[REPAIR]].concat(), &flags);
    cluster.wait_for("condition=Ready", &["pod/early"]);
    expect_enrolled(cluster, &[&Running::look(cluster, "early")]);
    cluster.delete(&["pod/early"]);
    wait_until_none_is_enrolled(cluster);
    end(cluster, able);
    purge(cluster);
}
