// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who counts as the sidecar, and which ports are its own.

use rstest::rstest;

use super::*;

#[rstest]
#[case::first_to_its_pod("1337,1338", 1337, "10.1.1.5:80", ProxyToOwnPod)]
#[case::second_to_its_pod("1337,1338", 1338, "10.1.1.5:80", LocalDestination)]
#[case::second_to_the_outside("1337,1338", 1338, "198.51.100.1:80", ProxyOwner)]
#[case::neither("1337,1338", 1339, "198.51.100.1:80", OutboundCidrIncluded)]
#[case::first_is_a_range("1000-2000,5000", 1500, "10.1.1.5:80", ProxyToOwnPod)]
#[case::first_inside_a_later_range("1500,1000-2000", 1500, "10.1.1.5:80", ProxyToOwnPod)]
#[case::only_in_a_later_range("1500,1000-2000", 1501, "10.1.1.5:80", LocalDestination)]
#[case::by_name("root", 0, "10.1.1.5:80", ProxyToOwnPod)]
fn only_the_first_proxy_user_reaches_its_own_inbound_side(
    #[case] users: &str,
    #[case] user: u32,
    #[case] destination: &str,
    #[case] reason: Reason,
) {
    // A group of its own, so that `-u` alone decides.
    assert_eq!(
        outbound(
            &policy(&["-u", users, "-g", "77"], &[]),
            By { user, group: 1 },
            Tcp,
            destination
        ),
        reason
    );
}

#[test]
fn a_group_of_its_own_replaces_the_users_number() {
    let policy = policy(&["-g", "java"], &[]);
    assert_eq!(
        outbound(&policy, By { user: 0, group: 300 }, Tcp, "198.51.100.1:80"),
        ProxyOwner
    );
    assert_eq!(outbound(&policy, PROXY_BY_GROUP, Tcp, "198.51.100.1:80"), OutboundCidrIncluded);
}

#[test]
fn other_ports_of_the_sidecar_are_taken_over() {
    let policy = policy(&["-p", "16001", "-z", "16006", "-e", "16008"], &[]);
    assert_eq!((policy.policy.outbound_port, policy.policy.inbound_port), (16001, 16006));
    assert_eq!(inbound(&policy, Tcp, 16008), InboundTunnelPort);
    assert_eq!(inbound(&policy, Tcp, 15008), InboundPortIncluded);
}
