// SPDX-License-Identifier: Apache-2.0 OR MIT
//! On a kernel that is not fit for it, acceleration is refused for the reason that `interceptor check` gives.

use testkit::Node;

use crate::lab::{Kind, Lab, absent};

#[test]
fn what_check_says_is_what_enrolling_does() {
    let node = Node::new();
    let lab = Lab::new(&node, Kind::Outbound);
    let absent = absent(&node, "--accelerate is refused");
    let run = lab.pod.try_enroll(&["--accelerate"]);
    let Some(reason) = absent.first() else {
        return run.expect_success();
    };
    assert_eq!(run.code, Some(1), "{run}");
    assert!(
        run.stderr.contains(reason) && run.stderr.contains("--force-accelerate"),
        "{reason}, {run}"
    );
    assert!(node.pins().is_empty(), "{:?}", node.pins());

    let forced = lab.pod.try_enroll(&["--accelerate", "--force-accelerate"]);
    forced.expect_success();
    assert!(forced.output().contains(reason), "{reason}, {forced}");
    lab.enroll(&[]);
}
