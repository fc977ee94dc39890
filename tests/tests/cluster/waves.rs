// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods come and go in waves, while the agent is killed again and again.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use testkit::{
    cluster::{Cluster, NODE_ADDRESS},
    scale, wait_until,
};

use crate::{
    agent::{end, idle, purge, spawn, start, wait_until_none_is_enrolled},
    init_container::status,
    pods::Running,
};

const PODS: u32 = 40;
const WAVE: u32 = 20;
/// How long an agent lives once it listens; on a busy machine, at least as long as it took to begin.
const LIFE: Duration = Duration::from_secs(2);

pub(crate) fn whenever_the_agent_is_killed_each_pod_of_a_wave_gets_what_it_should(cluster: &Cluster) {
    let waves = scale("INTERCEPTOR_TEST_PODS", PODS, WAVE).div_ceil(WAVE);
    end(cluster, start(cluster, &[]));
    let pins = pins(cluster);
    let is_done = AtomicBool::new(false);
    let mut injected = Vec::new();
    thread::scope(|scope| {
        let killer = scope.spawn(|| {
            let mut killed = 0;
            while !is_done.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let mut agent = spawn(cluster, &[]);
                while !agent.line().contains("listening socket=") {}
                let due = Instant::now() + LIFE.max(begun.elapsed());
                wait_until("the agent has lived for long enough", || Instant::now() >= due);
                end(cluster, agent);
                killed += 1;
            }
            killed
        });
        let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for wave in 0..waves {
                injected.extend(tell_wave(cluster, wave));
                if wave > 0 {
                    cluster.delete_all(&label(wave - 1));
                }
            }
        }));
        is_done.store(true, Ordering::Relaxed);
        let agents = killer.join().expect("the agents listen");
        waited.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        assert!(agents >= waves, "{agents} agents");
    });

    let agent = start(cluster, &[]);
    cluster.delete_all(&label(waves - 1));
    wait_until_none_is_enrolled(cluster);
    wait_until("no pin is left", || self::pins(cluster) == pins);
    wait_until("no record is left", || {
        cluster.succeed(&["ls", "/run/interceptor/pods"]).is_empty()
    });
    for pod in &injected {
        wait_until("no cgroup is left", || !cluster.exists(&pod.cgroup(cluster)));
    }
    end(cluster, agent);
    purge(cluster);
}

/// Half of the pods of a wave have a sidecar. Returns those.
fn tell_wave(cluster: &Cluster, wave: u32) -> Vec<Running> {
    let pods: Vec<(String, bool)> = (0..WAVE)
        .map(|number| (format!("wave-{wave}-{number}"), number % 2 == 0))
        .collect();
    let objects: Vec<Value> = pods
        .iter()
        .map(|(name, is_injected)| {
            let mut pod = idle(name, *is_injected);
            pod["metadata"]["labels"] = json!({ "wave": wave.to_string() });
            pod
        })
        .collect();
    cluster.apply(&objects);
    cluster.wait_for_all("condition=Ready", &label(wave));

    let complete: BTreeSet<String> = status(cluster)
        .iter()
        .filter(|pod| pod["missing"].as_array().is_some_and(Vec::is_empty))
        .filter_map(|pod| pod["cgroup"].as_str().map(str::to_owned))
        .collect();
    let mut injected = Vec::new();
    for (name, is_injected) in pods {
        let pod = Running::look(cluster, &name);
        assert_eq!(complete.contains(&pod.cgroup(cluster)), is_injected, "{name}: {complete:#?}");
        injected.extend(is_injected.then_some(pod));
    }
    expect_kept_in(cluster, &format!("wave-{wave}-0"), "istio-proxy", true);
    expect_kept_in(cluster, &format!("wave-{wave}-1"), "app", false);
    injected
}

/// Whether a connection of this container goes to a sidecar, which is not there.
fn expect_kept_in(cluster: &Cluster, pod: &str, container: &str, is_kept: bool) {
    let run = cluster.exec(
        pod,
        container,
        &["wget", "-q", "-O", "-", &format!("http://{NODE_ADDRESS}:6443/")],
    );
    let expected = if is_kept { "Connection refused" } else { "400 Bad Request" };
    assert!(run.output().contains(expected), "{run}");
}

fn label(wave: u32) -> String {
    format!("wave={wave}")
}

fn pins(cluster: &Cluster) -> String {
    cluster.succeed(&["find", "/sys/fs/bpf", "-mindepth", "1"])
}
