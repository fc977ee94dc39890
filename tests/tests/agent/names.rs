// SPDX-License-Identifier: Apache-2.0 OR MIT
//! People call pods by their names, also while the agent is away.

use testkit::{
    Run,
    scene::{Outcome, Scene},
    trace::{events, follow},
};

use crate::{lab::Lab, sandbox::Sandbox};

fn run(lab: &Lab, arguments: &[&str]) -> Run {
    let run_dir = lab.run_dir().display().to_string();
    lab.node.run(&[arguments, &["--run-dir", &run_dir]].concat())
}

#[test]
fn commands_take_the_names_of_pods_also_while_the_agent_is_away() {
    let lab = Lab::new();
    let scenes = ["one", "two"].map(|name| Scene::new(&lab.node, name));
    let sandboxes = [0, 1].map(|number| Sandbox::of(&scenes[number].pod, &format!("web-{number}")));
    let agent = lab.start();
    for sandbox in &sandboxes {
        lab.api.put(sandbox.injected());
        lab.expect_enrolled(sandbox);
    }
    agent.kill();

    let status = run(&lab, &["status"]);
    status.expect_success();
    for sandbox in &sandboxes {
        let heading = format!("Pod shop/{} ({})", sandbox.name, sandbox.netns.display());
        assert!(status.stdout.contains(&heading), "{status}");
    }
    let one: serde_json::Value = run(&lab, &["status", "--pod", "shop/web-1", "--output", "json"]).json();
    assert_eq!(one.as_array().map(Vec::len), Some(1), "{one}");
    assert_eq!(one[0]["pod"], "shop/web-1");
    assert_eq!(one[0]["sandbox"], sandboxes[1].id.as_str());
    assert_eq!(one[0]["uid"], sandboxes[1].uid.as_str());

    let run_dir = lab.run_dir().display().to_string();
    let trace = follow(&lab.node, &["--pod", "shop/web-1", "-o", "json", "--run-dir", &run_dir]);
    for scene in &scenes {
        assert_eq!(scene.outbound(), Outcome::refused());
    }
    let shown: Vec<_> = events(trace)
        .iter()
        .map(|event| (event["pod"].clone(), event["reason"].clone()))
        .collect();
    let expected = ["outbound_cidr_included", "no_listener"];
    assert_eq!(shown, expected.map(|reason| ("shop/web-1".into(), reason.into())));

    let explained = run(&lab, &["explain", "--pod", "shop/web-1", "10.1.2.3:80"]);
    explained.expect_success();
    assert!(explained.stdout.contains("outbound port 15001"), "{explained}");

    run(&lab, &["unenroll", "--pod", "shop/web-0"]).expect_success();
    let cookies: Vec<u64> = lab.enrollments().into_iter().map(|(cookie, _)| cookie).collect();
    assert_eq!(cookies, [Lab::cookie(&sandboxes[1])]);
    for command in [&["status"][..], &["unenroll"], &["explain", "10.1.2.3:80"], &["trace"]] {
        let gone = run(&lab, &[command, &["--pod", "shop/web-0"]].concat());
        assert_eq!(gone.code, Some(1), "{gone}");
        assert!(gone.stderr.contains("The pod shop/web-0 is not enrolled"), "{gone}");
    }

    // The next start forgets what is not enrolled.
    let _agent = lab.start();
    let names: Vec<String> = lab.records().iter().map(|record| record.pod.to_string()).collect();
    assert_eq!(names, ["shop/web-1"]);
}
