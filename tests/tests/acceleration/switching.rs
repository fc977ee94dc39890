// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Switching acceleration off in the middle of traffic loses nothing.

use rstest::rstest;
use testkit::{Node, records::Transferred, wait_until};

use crate::lab::{Kind, Lab, goes_on};

#[derive(Clone, Copy, Debug)]
enum Switch {
    /// Enroll again without the flag.
    Off,
    /// `--cleanup-only`
    Cleanup,
    /// `interceptor clean --all`
    CleanAll,
    /// Off, and on again.
    OffAndOn,
}

/// Never spent: what goes directly goes directly until it is switched off, or TCP takes up much of a small machine's
/// memory.
const ON: &[&str] = &["--accelerate", "--accelerate-budget", "1073741824"];

#[rstest]
fn traffic_goes_on(
    #[values(Kind::Outbound, Kind::Pods)] kind: Kind,
    #[values(Switch::Off, Switch::Cleanup, Switch::CleanAll, Switch::OffAndOn)] switch: Switch,
) {
    let node = Node::new();
    let lab = Lab::new(&node, kind);
    lab.enroll(ON);
    let mut stream = lab.start(&["stream", "--connections", "4"]);
    goes_on(&mut stream);
    wait_until("both directions of all connections are accelerated", || {
        lab.counters().of("accelerated") == 8
    });

    match switch {
        Switch::Off => {
            lab.enroll(&[]);
            goes_on(&mut stream);
            assert_eq!(
                lab.counters().of("acceleration_over_budget"),
                0,
                "only new connections are concerned"
            );
        }
        Switch::Cleanup => lab.pods().for_each(|pod| pod.try_enroll(&["--cleanup-only"]).expect_success()),
        Switch::CleanAll => node.run(&["clean", "--all"]).expect_success(),
        Switch::OffAndOn => {
            lab.enroll(&[]);
            goes_on(&mut stream);
            lab.enroll(ON);
        }
    }
    goes_on(&mut stream);
    // Every byte was compared where it arrived.
    stream.close_stdin();
    let Transferred { connections, bytes } = stream.json();
    assert!(connections == 4 && bytes > 0);
}

/// The programs stay attached while a socket needs them, and go afterward.
#[test]
fn what_is_switched_off_goes_with_its_last_socket() {
    let node = Node::new();
    let lab = Lab::new(&node, Kind::Outbound);
    let attached = || node.pins().iter().any(|pin| pin.ends_with("on_established"));
    lab.enroll(ON);
    let mut stream = lab.start(&["stream"]);
    goes_on(&mut stream);
    lab.enroll(&[]);
    assert!(attached(), "a socket is in use");
    stream.close_stdin();
    let Transferred { .. } = stream.json();
    stream.finish();
    wait_until("a run finds that nothing needs them", || {
        lab.enroll(&["--force-apply"]);
        !attached()
    });
    assert!(
        !node.pins().iter().any(|pin| pin.ends_with("acceleration")),
        "{:?}",
        node.pins()
    );
}
