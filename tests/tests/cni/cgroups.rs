// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How the pod's cgroup is found, on every layout of nodes; and how it is made where nobody else makes it in time.

use std::fs;

use interceptor_wire::Did;
use rstest::rstest;

use crate::{
    agent::{Agent, Reply, did, enrolled, inode, refused},
    node::{Cgroups, Node, UID, burstable, on},
};

/// What the agent got, if it got one cgroup.
#[track_caller]
fn expect_found(node: &Node, agent: Agent, relative: &str) {
    let asked = agent.stop();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].cgroup, Some(node.cgroup2(relative)));
    let path = node.cgroup2(relative).display().to_string();
    assert_eq!(asked[0].attachment().cgroup_path, Some(path));
}

/// `{}` is the pod's UID, `{_}` the one that systemd likes, and `{root}` kubelet's root.
fn name(node: &Node, pattern: &str, uid: &str) -> String {
    let root = node.root();
    pattern
        .replace("{}", uid)
        .replace("{_}", &uid.replace('-', "_"))
        .replace("{root}", root.trim_start_matches('/'))
}

#[rstest]
#[case::guaranteed("kubepods/pod{}", UID)]
#[case::burstable("kubepods/burstable/pod{}", UID)]
#[case::best_effort("kubepods/besteffort/pod{}", UID)]
#[case::static_pod("kubepods/burstable/pod{}", "0123456789abcdef0123456789abcdef")]
fn by_uid_it_is_found_in_every_quality_of_service(#[case] pattern: &str, #[case] uid: &str) {
    on(Cgroups::Unified, |node| {
        let relative = name(node, pattern, uid);
        fs::create_dir_all(node.cgroup2(&relative)).unwrap();
        let agent = Agent::start(node, enrolled());
        let args = format!("K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_UID={uid}");
        node.plugin("ADD")
            .injected()
            .env("CNI_ARGS", &args)
            .run()
            .expect("enrolled", "");
        expect_found(node, agent, &relative);
    });
}

#[rstest]
#[case::guaranteed("{root}-kubepods-pod{_}.slice")]
#[case::burstable("{root}-kubepods-burstable.slice/{root}-kubepods-burstable-pod{_}.slice")]
#[case::best_effort("{root}-kubepods-besteffort.slice/{root}-kubepods-besteffort-pod{_}.slice")]
fn by_uid_it_is_found_under_systemd(#[case] pattern: &str) {
    on(Cgroups::Unified, |node| {
        let pattern = format!("../{{root}}.slice/{{root}}-kubepods.slice/{pattern}");
        let directory = node.cgroup2(&name(node, &pattern, UID));
        fs::create_dir_all(&directory).unwrap();
        let agent = Agent::start(node, enrolled());
        node.plugin("ADD").injected().run().expect("enrolled", "");
        let asked = agent.stop();
        assert_eq!(asked[0].cgroup, Some(directory.canonicalize().unwrap()));
    });
}

#[rstest]
#[case::cgroupfs("/{root}/kubepods/burstable/pod{}", "kubepods/burstable/pod{}")]
#[case::systemd(
    "/{root}/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{_}.slice",
    "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{_}.slice"
)]
#[case::any_other("/{root}/some/where", "some/where")]
fn the_path_that_the_runtime_hands_over_is_believed(#[case] path: &str, #[case] relative: &str) {
    on(Cgroups::Unified, |node| {
        let [path, relative] = [path, relative].map(|pattern| name(node, pattern, UID));
        fs::create_dir_all(node.cgroup2(&relative)).unwrap();
        // Its UID leads elsewhere, but is not asked.
        fs::create_dir_all(node.cgroup2(&format!("kubepods/pod{UID}"))).unwrap();
        let agent = Agent::start(node, enrolled());
        node.plugin("ADD").injected().cgroup_path(&path).run().expect("enrolled", "");
        expect_found(node, agent, &relative);
    });
}

#[test]
fn an_absent_cgroup_fails_with_the_places_that_were_tried() {
    on(Cgroups::Unified, |node| {
        let agent = Agent::start(node, enrolled());
        let run = node.plugin("ADD").injected().run();
        let error: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        let details = error["details"].as_str().unwrap();
        assert!(details.contains(&node.cgroup2(&burstable()).display().to_string()), "{error}");
        let msg = run.expect_error(102);
        assert!(msg.starts_with("The pod's cgroup is not at any of 6 places"), "{msg}");
        assert!(agent.stop().is_empty());
    });
}

#[test]
fn without_annotations_an_absent_cgroup_fails_only_the_pods_that_need_one() {
    on(Cgroups::Unified, |node| {
        let agent = Agent::start(node, did(Did::Skipped));
        node.plugin("ADD").run().expect("passed", "the agent says so");
        assert_eq!(agent.stop()[0].cgroup, None);

        let _agent = Agent::start(node, refused(100, "It came without a cgroup"));
        let run = node.plugin("ADD").run();
        assert!(run.stdout.contains("It came without a cgroup"), "{}", run.stdout);
        let msg = run.expect_error(102);
        assert!(msg.starts_with("The pod's cgroup is not at any of"), "{msg}");
    });
}

#[test]
fn two_directories_with_the_pods_uid_are_refused_and_named() {
    on(Cgroups::Unified, |node| {
        let other = format!("kubepods/besteffort/pod{UID}");
        fs::create_dir_all(node.with_cgroup().cgroup2(&other)).unwrap();
        let agent = Agent::start(node, enrolled());
        let msg = node.plugin("ADD").injected().run().expect_error(102);
        for relative in [burstable(), other] {
            assert!(msg.contains(&node.cgroup2(&relative).display().to_string()), "{msg}");
        }
        assert!(agent.stop().is_empty());
    });
}

#[test]
fn two_names_in_version_1_are_refused_and_named() {
    on(Cgroups::Hybrid, |node| {
        let names = [burstable(), format!("kubepods/besteffort/pod{UID}")];
        for name in &names {
            fs::create_dir_all(node.version1(name)).unwrap();
        }
        let _agent = Agent::start(node, enrolled());
        let msg = node.plugin("ADD").injected().run().expect_error(102);
        for name in &names {
            assert!(msg.contains(&node.version1(name).display().to_string()), "{msg}");
        }
        assert!(!node.cgroup2("kubepods").exists());
    });
}

#[test]
fn without_uid_and_path_it_says_what_the_runtime_lacks() {
    on(Cgroups::Unified, |node| {
        let _agent = Agent::start(node, enrolled());
        let args = "K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0";
        let msg = node.plugin("ADD").injected().env("CNI_ARGS", args).run().expect_error(102);
        assert!(msg.contains("cgroupPath") && msg.contains("K8S_POD_UID"), "{msg}");
    });
}

#[rstest]
#[case("/")]
#[case("/../..")]
fn a_path_that_leads_out_of_the_tree_is_refused(#[case] path: &str) {
    on(Cgroups::Unified, |node| {
        let _agent = Agent::start(node, enrolled());
        node.plugin("ADD").injected().cgroup_path(path).run().expect_error(7);
    });
}

#[test]
fn without_cgroup2_it_says_so() {
    on(Cgroups::Version1, |node| {
        fs::create_dir_all(node.version1(&burstable())).unwrap();
        let agent = Agent::start(node, enrolled());
        let msg = node.plugin("ADD").injected().run().expect_error(102);
        assert!(msg.starts_with("No cgroup2 file system is mounted"), "{msg}");
        assert!(agent.stop().is_empty());
    });
}

#[rstest]
#[case::by_uid(false)]
#[case::by_path(true)]
fn on_a_hybrid_node_it_is_made_with_the_path_of_version_1_and_removed_by_del(#[case] by_path: bool) {
    on(Cgroups::Hybrid, |node| {
        fs::create_dir_all(node.version1(&burstable())).unwrap();
        let plugin = |verb: &str| {
            let plugin = node.plugin(verb).injected();
            if by_path {
                plugin.cgroup_path(&format!("{}/{}", node.root(), burstable()))
            } else {
                plugin
            }
        };
        let agent = Agent::start(node, enrolled());
        plugin("ADD").run().expect("enrolled", "");
        expect_found(node, agent, &burstable());
        assert!(node.cgroup2(&burstable()).exists());

        let _agent = Agent::start(node, did(Did::Unenrolled));
        plugin("DEL").run().expect_silence();
        assert!(!node.cgroup2(&burstable()).exists());
        plugin("DEL").run().expect_silence();
    });
}

#[test]
fn on_a_hybrid_node_what_runc_made_before_is_used() {
    on(Cgroups::Hybrid, |node| {
        for directory in [node.version1(&burstable()), node.cgroup2(&burstable())] {
            fs::create_dir_all(directory).unwrap();
        }
        let agent = Agent::start(node, enrolled());
        node.plugin("ADD").injected().run().expect("enrolled", "");
        expect_found(node, agent, &burstable());
    });
}

#[test]
fn a_late_del_of_an_old_sandbox_leaves_the_new_sandboxs_cgroup_alone() {
    on(Cgroups::Hybrid, |node| {
        fs::create_dir_all(node.version1(&burstable())).unwrap();
        let add = |sandbox: &str| {
            let _agent = Agent::start(node, enrolled());
            node.plugin("ADD")
                .injected()
                .env("CNI_CONTAINERID", sandbox)
                .run()
                .expect("enrolled", "");
        };
        let del = |sandbox: &str| {
            node.plugin("DEL")
                .injected()
                .env("CNI_CONTAINERID", sandbox)
                .run()
                .expect_silence();
        };
        add("old");
        let cgroup = inode(&node.cgroup2(&burstable()));
        add("new");
        del("old");
        assert!(node.cgroup2(&burstable()).exists());
        assert_eq!(inode(&node.cgroup2(&burstable())), cgroup);
        del("new");
        assert!(!node.cgroup2(&burstable()).exists());
    });
}

/// Otherwise DEL of an old sandbox could remove the directory between the moments at which ADD of a new one finds it
/// and marks it.
#[test]
fn add_and_del_wait_for_each_other_and_not_for_ever() {
    on(Cgroups::Hybrid, |node| {
        fs::create_dir_all(node.version1(&burstable())).unwrap();
        let _agent = Agent::start(node, enrolled());
        node.plugin("ADD").injected().run().expect("enrolled", "");

        let lock = fs::File::open(node.run_dir().join("cgroups.lock")).unwrap();
        lock.lock().unwrap();
        let run = node.plugin("DEL").injected().run();
        run.expect_silence();
        run.expect_line("note", "cgroups.lock");
        let msg = node
            .plugin("ADD")
            .injected()
            .env("CNI_CONTAINERID", "new")
            .run()
            .expect_error(102);
        assert!(msg.contains("cgroups.lock"), "{msg}");
        assert!(node.cgroup2(&burstable()).exists());

        drop(lock);
        node.plugin("DEL").injected().run().expect_silence();
        assert!(!node.cgroup2(&burstable()).exists());
    });
}

#[test]
fn del_leaves_a_cgroup_that_has_containers_until_they_are_gone() {
    on(Cgroups::Hybrid, |node| {
        fs::create_dir_all(node.version1(&burstable())).unwrap();
        let _agent = Agent::start(node, enrolled());
        node.plugin("ADD").injected().run().expect("enrolled", "");
        let container = node.cgroup2(&burstable()).join("container");
        fs::create_dir(&container).unwrap();
        node.plugin("DEL").injected().run().expect_silence();
        assert!(container.exists());
        fs::remove_dir(&container).unwrap();
        // The agent is not needed for this, and neither is kubelet's directory.
        fs::remove_dir(node.version1(&burstable())).unwrap();
        node.plugin("DEL").injected().env("CNI_NETNS", "").run().expect_silence();
        assert!(!node.cgroup2(&burstable()).exists());
    });
}

#[rstest]
#[case::passes(did(Did::Skipped), true)]
#[case::is_refused(refused(100, "No"), false)]
fn a_pod_that_is_not_enrolled_leaves_no_cgroup(#[case] reply: Reply, #[case] success: bool) {
    on(Cgroups::Hybrid, |node| {
        fs::create_dir_all(node.version1(&burstable())).unwrap();
        let agent = Agent::start(node, reply);
        assert_eq!(node.plugin("ADD").run().success, success);
        // It was there while the agent looked at it.
        assert_eq!(agent.stop()[0].cgroup, Some(node.cgroup2(&burstable())));
        assert!(!node.cgroup2(&burstable()).exists());
    });
}

#[test]
fn systemds_directories_are_not_made() {
    on(Cgroups::Hybrid, |node| {
        let slice = name(node, "kubepods.slice/kubepods-pod{_}.slice", UID);
        fs::create_dir_all(node.version1(&slice)).unwrap();
        let _agent = Agent::start(node, enrolled());
        let path = format!("{}/{slice}", node.root());
        node.plugin("ADD").injected().cgroup_path(&path).run().expect_error(102);
        assert!(!node.cgroup2("kubepods.slice").exists());
    });
}

/// kubelet makes and removes it there.
#[test]
fn on_a_unified_node_del_leaves_the_cgroup_alone() {
    on(Cgroups::Unified, |node| {
        let _agent = Agent::start(node.with_cgroup(), enrolled());
        node.plugin("ADD").injected().run().expect("enrolled", "");
        node.plugin("DEL").injected().run().expect_silence();
        assert!(node.cgroup2(&burstable()).exists());
    });
}
