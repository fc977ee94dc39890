// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which packets the guard has doubts about when they leave the pod. It knows no rule: what a doubtful packet was to
//! become is for [`decide`](crate::decide) to say.

use crate::{address::Address, reason::Reason, slot::SlotAddress};

/// Who sends a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A TCP or UDP socket in the pod's cgroup. The rules were asked about its connection.
    Member,
    /// A TCP or UDP socket elsewhere. Nobody has asked the rules.
    Outsider,
    /// A raw socket, a packet socket, or no socket at all. Nobody has asked the rules, whatever its cgroup is.
    Raw,
}

/// The first packet of a TCP connection, or a DNS question, that leaves the pod by an interface other than `lo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaving {
    pub sender: Sender,
    /// The packet has an IPv6 routing header, or an IPv4 source route.
    pub source_routed: bool,
}

impl Leaving {
    /// Why the rules have to be asked about the packet. `None` if they were asked already.
    #[inline(always)]
    pub const fn doubt(self) -> Option<Reason> {
        if self.source_routed {
            return Some(Reason::GuardSourceRoute);
        }
        match self.sender {
            Sender::Member => None,
            Sender::Outsider => Some(Reason::GuardOutsider),
            Sender::Raw => Some(Reason::GuardRawSocket),
        }
    }
}

impl Address {
    /// Whether redirected connections and questions go to such addresses: to slots, and to the agent at a loopback
    /// address. None of them may be seen outside of the pod.
    #[inline(always)]
    pub const fn is_of_redirection(self) -> bool {
        self.is_loopback() || SlotAddress::decode(self).is_some()
    }
}

#[cfg(test)]
mod tests {
    use core::net::IpAddr;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::the_rules_were_asked(Sender::Member, false, None)]
    #[case::about_another_destination(Sender::Member, true, Some(Reason::GuardSourceRoute))]
    #[case::nobody_was_asked(Sender::Outsider, false, Some(Reason::GuardOutsider))]
    #[case::no_hook_runs(Sender::Raw, false, Some(Reason::GuardRawSocket))]
    #[case::the_route_is_named_first(Sender::Raw, true, Some(Reason::GuardSourceRoute))]
    fn a_packet_is_doubtful_unless_the_rules_were_asked(
        #[case] sender: Sender,
        #[case] source_routed: bool,
        #[case] doubt: Option<Reason>,
    ) {
        assert_eq!(Leaving { sender, source_routed }.doubt(), doubt);
    }

    #[rstest]
    #[case::agent("127.0.0.1", true)]
    #[case::agent_v6("::1", true)]
    #[case::slot("127.144.1.1", true)]
    #[case::slot_v6("fd69:6e74:6572:6365::8000:1", true)]
    #[case::outside("10.1.2.3", false)]
    #[case::outside_v6("fd99::1", false)]
    fn redirection_goes_to_loopback_addresses_and_slots(#[case] address: &str, #[case] expected: bool) {
        assert_eq!(Address::from(address.parse::<IpAddr>().unwrap()).is_of_redirection(), expected);
    }
}
