// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The agent keeps the kernel programs and shared maps loaded, so that no pod has to wait for the verifier; and takes
//! them off the node when it is uninstalled.

use std::{fs, os::unix::fs::MetadataExt as _, path::PathBuf, process::Command};

use testkit::{OtherBuild, Run, scene::Scene, wait_until};

use crate::{
    host::Host,
    lab::{Agent, Lab},
    sandbox::Sandbox,
};

fn home(lab: &Lab) -> PathBuf {
    lab.node.bpffs().join("interceptor")
}

/// What is pinned for all pods, by inode numbers: programs that are loaded anew have others.
fn loaded(lab: &Lab) -> Vec<(PathBuf, u64)> {
    let is_shared = |path: &PathBuf| {
        path.parent()
            .is_some_and(|parent| parent.ends_with("programs") || parent.ends_with("maps"))
    };
    let inode = |path: PathBuf| {
        let inode = fs::symlink_metadata(&path).expect("a pin").ino();
        (path, inode)
    };
    lab.node.pins().into_iter().filter(is_shared).map(inode).collect()
}

/// The only version that there is.
fn version(lab: &Lab) -> PathBuf {
    let versions: Vec<PathBuf> = fs::read_dir(home(lab))
        .expect("list")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    let [version] = <[PathBuf; 1]>::try_from(versions).expect("one version");
    version
}

fn start_with_plugin(lab: &Lab, host: &Host<'_>) -> Agent {
    let flags = host.flags();
    let agent = lab.start_with(&flags.iter().map(String::as_str).collect::<Vec<_>>());
    wait_until("it is ready", || agent.readiness().0 == 200);
    agent
}

#[test]
fn no_pod_waits_for_programs_to_be_loaded_although_the_node_was_empty_before() {
    let lab = Lab::new();
    let [first, second] = ["first", "second"].map(|name| Scene::new(&lab.node, name).pod);
    let (first, by_hand) = (Sandbox::of(&first, "web-0"), second);
    lab.api.put(first.injected());
    let agent = lab.start_synced();
    let at_start = loaded(&lab);
    assert!(!at_start.is_empty(), "an agent that is ready has loaded them");
    for _ in 0..2 {
        lab.expect_enrolled(&first);
        first.del(&lab.socket()).expect("an answer");
        assert_eq!(loaded(&lab), at_start);
    }
    by_hand.enroll(&[]);
    by_hand.clean();
    assert_eq!(loaded(&lab), at_start, "a command leaves what the agent keeps");
    agent.kill();
    let _agent = lab.start_synced();
    assert_eq!(loaded(&lab), at_start, "the next agent finds them");
}

#[test]
fn what_an_agent_leaves_that_never_comes_back_goes_with_everything_else() {
    let lab = Lab::new();
    let agent = lab.start_synced();
    agent.kill();
    assert!(!loaded(&lab).is_empty());
    lab.node.run(&["clean", "--all"]).expect_success();
    assert!(!home(&lab).exists(), "{:#?}", lab.node.pins());
}

#[test]
fn programs_that_somebody_removes_are_loaded_again() {
    let lab = Lab::new();
    let pod = Scene::new(&lab.node, "pod").pod;
    let sandbox = Sandbox::of(&pod, "web-0");
    lab.api.put(sandbox.injected());
    let agent = lab.start_synced();
    let at_start = loaded(&lab);
    lab.node.run(&["clean", "--all"]).expect_success();
    wait_until("they are loaded again", || {
        agent.readiness().0 == 200 && !loaded(&lab).is_empty()
    });
    let again = loaded(&lab);
    assert_ne!(again, at_start);
    lab.expect_enrolled(&sandbox);
    assert_eq!(loaded(&lab), again);
}

#[test]
fn nothing_is_left_of_an_agent_that_is_uninstalled() {
    let lab = Lab::new();
    let host = Host::with_network(&lab);
    // There is no DaemonSet.
    let (code, log) = start_with_plugin(&lab, &host).stop();
    assert_eq!(code, Some(0), "{log:#?}");
    assert!(!host.has_entry());
    assert!(!home(&lab).exists(), "{:#?}", lab.node.pins());
}

#[test]
fn programs_of_an_agent_that_is_uninstalled_go_with_the_last_pod() {
    let lab = Lab::new();
    let host = Host::with_network(&lab);
    let scene = Scene::new(&lab.node, "pod");
    let sandbox = Sandbox::of(&scene.pod, "web-0");
    lab.api.put(sandbox.injected());
    let agent = start_with_plugin(&lab, &host);
    lab.expect_enrolled(&sandbox);
    let (code, log) = agent.stop();
    assert_eq!(code, Some(0), "{log:#?}");
    assert_eq!(lab.enrollments().len(), 1);
    scene.pod.clean();
    assert!(!home(&lab).exists(), "{:#?}", lab.node.pins());
}

#[test]
fn uninstalling_by_hand_takes_the_programs_off_the_node() {
    let lab = Lab::new();
    let host = Host::with_network(&lab);
    lab.start_synced().kill();
    let place = host.place();
    let bpffs = format!("--bpffs={}", lab.node.bpffs().display());
    let arguments = [place[0].as_str(), place[1].as_str(), &bpffs];
    host.run("uninstall", &arguments, &[]).expect_success();
    assert!(!home(&lab).exists(), "{:#?}", lab.node.pins());
    host.run("uninstall", &arguments, &[]).expect_success();
}

#[test]
fn an_agent_of_another_build_exchanges_what_is_loaded_for_pods_to_come() {
    let lab = Lab::new();
    let pod = Scene::new(&lab.node, "pod").pod;
    let sandbox = Sandbox::of(&pod, "web-0");
    lab.api.put(sandbox.injected());
    lab.start_synced().kill();
    let mut upgrade = Command::new(OtherBuild::on(&lab.node).program);
    upgrade.arg("upgrade").arg("--bpffs").arg(lab.node.bpffs());
    Run::of(upgrade).expect_success();

    let _agent = lab.start_synced();
    lab.expect_enrolled(&sandbox);
    pod.enroll(&["--force-apply"]);
    let told = lab.node.run(&["upgrade", "--dry-run"]);
    assert!(
        told.output().starts_with("Nothing to do"),
        "the pod has this build's programs: {told}"
    );
}

#[test]
fn what_is_loaded_of_another_version_goes_when_an_agent_begins_unless_it_has_pods() {
    let lab = Lab::new();
    let pod = Scene::new(&lab.node, "pod").pod;
    let sandbox = Sandbox::of(&pod, "web-0");
    lab.api.put(sandbox.injected());
    lab.start_synced().kill();
    let (this, [empty, used]) = (version(&lab), ["v1", "v2"].map(|name| home(&lab).join(name)));
    fs::rename(&this, &empty).expect("make it another version's");
    let agent = lab.start_synced();
    lab.expect_enrolled(&sandbox);
    assert!(!empty.exists() && this.exists());
    agent.kill();
    fs::rename(&this, &used).expect("make it another version's");
    let _agent = lab.start_synced();
    assert!(used.join("pods").join(Lab::cookie(&sandbox).to_string()).exists());
    assert!(used.join("programs").exists() && !used.join("kept").exists());
}

#[test]
fn nothing_is_loaded_on_a_kernel_that_lacks_something() {
    let lab = Lab::new();
    let agent = lab.start_without_btf(&["--on-unsupported=skip"]);
    wait_until("it is ready", || agent.readiness().0 == 200);
    assert!(loaded(&lab).is_empty(), "{:#?}", lab.node.pins());
}
