// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why something happened to a connection: the list of all reasons, in three sections. Each reason has a counter in the
//! kernel. This file counts nothing.
//!
//! The order of the list is part of the ABI: it is the order of the counters. Add a reason anywhere, and the test of
//! [`ABI_VERSION`](crate::ABI_VERSION) says what else to change.

use crate::action::{Action, ConnectError};

/// What a [`Reason`] is about: a label for metrics, and a heading for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasonKind {
    /// A rule decided on a connection.
    Decision,
    /// A verdict could not be carried out, or somebody interfered with the redirection.
    Failure,
    /// A direction of a connection was accelerated, or not, or not any longer.
    Acceleration,
}

impl ReasonKind {
    /// All kinds, in the order of their reasons.
    pub const ALL: &[Self] = &[Self::Decision, Self::Failure, Self::Acceleration];

    /// A short name, fit for a metric's label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Failure => "failure",
            Self::Acceleration => "acceleration",
        }
    }
}

macro_rules! reasons {
    (
        Decision {
            $($(#[doc = $decision_doc:literal])+
            $decision:ident => $action:ident $(($error:ident))?, $decision_label:literal, $decision_sentence:literal;)+
        }
        $($kind:ident {
            $($(#[doc = $doc:literal])+
            $name:ident, $label:literal, $sentence:literal;)+
        })+
    ) => {
        /// A rule that decides what happens to a connection: the first section of [`Reason`], with the same numbers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Decision { $($(#[doc = $decision_doc])+ $decision = Reason::$decision as u32),+ }

        impl Decision {
            /// All decisions, each at its own number.
            pub const ALL: &[Self] = &[$(Self::$decision),+];

            /// What is done with a connection that this rule decides on.
            #[inline(always)]
            pub const fn action(self) -> Action {
                match self { $(Self::$decision => Action::$action $((ConnectError::$error))?),+ }
            }
        }

        impl From<Decision> for Reason {
            #[inline(always)]
            fn from(decision: Decision) -> Self {
                match decision { $(Decision::$decision => Self::$decision),+ }
            }
        }

        /// Why: the rule that decided on a connection, what kept a verdict from being carried out, or what became of
        /// acceleration.
        ///
        /// The number of a reason is the index of its counter in the kernel, [`Self::label`] its name in metrics, and
        /// [`Self::sentence`] what `interceptor explain` says.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Reason {
            $($(#[doc = $decision_doc])+ $decision,)+
            $($($(#[doc = $doc])+ $name,)+)+
        }

        impl Reason {
            /// All reasons, each at its own number.
            pub const ALL: &[Self] = &[$(Self::$decision,)+ $($(Self::$name,)+)+];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The section of the list that the reason is in.
            pub const fn kind(self) -> ReasonKind {
                match self {
                    $(Self::$decision => ReasonKind::Decision,)+
                    $($(Self::$name => ReasonKind::$kind,)+)+
                }
            }

            /// What is done with a connection, if the reason is a decision.
            pub const fn action(self) -> Option<Action> {
                match self {
                    $(Self::$decision => Some(Decision::$decision.action()),)+
                    $($(Self::$name => None,)+)+
                }
            }

            /// A short name, fit for a metric's label.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$decision => $decision_label,)+
                    $($(Self::$name => $label,)+)+
                }
            }

            /// One sentence for a person.
            pub const fn sentence(self) -> &'static str {
                match self {
                    $(Self::$decision => $decision_sentence,)+
                    $($(Self::$name => $sentence,)+)+
                }
            }
        }
    };
}

reasons! {
    Decision {
        /// Istio writes no rules for this family in this pod.
        FamilyNotIntercepted => Pass, "family_not_intercepted",
            "IPv6 is not intercepted in this pod";
        /// `-c`, before every other rule.
        InterfaceExcluded => Pass, "interface_excluded",
            "it passes through an excluded interface (--istio-exclude-interfaces)";
        /// `-o`, before every rule on addresses and owners.
        OutboundPortExcluded => Pass, "outbound_port_excluded",
            "the destination port is excluded (--istio-local-outbound-ports-exclude)";
        /// `-o lo -s 127.0.0.6/32 -j RETURN`.
        PassthroughSource => Pass, "passthrough_source",
            "the sidecar hands an inbound connection to its application (source 127.0.0.6 or ::6)";
        /// The proxy dials an address of its own pod, so the connection goes through its inbound side.
        ProxyToOwnPod => RedirectInbound, "proxy_to_own_pod",
            "the sidecar connects to its own pod, which goes through its inbound side";
        /// The same under TPROXY, if table `nat` lets the connection pass: `OUTPUT` marks it with 1338, and
        /// `PREROUTING` delivers it.
        ProxyToOwnPodTransparently => RedirectInbound, "proxy_to_own_pod_transparently",
            "the sidecar connects to an intercepted port of its own pod (TPROXY)";
        /// `-o lo ! --uid-owner 1337 -j RETURN`.
        LocalDestination => Pass, "local_destination",
            "the destination is an address of this pod";
        /// `--uid-owner 1337 -j RETURN`, and the same for the other users and groups of the proxy.
        ProxyOwner => Pass, "proxy_owner",
            "the socket was made by the sidecar (its user or group)";
        /// Owner groups: `ISTIO_OUTBOUND_OWNER_GROUPS` and `..._EXCLUDE`.
        OwnerGroup => Pass, "owner_group",
            "the group that made the socket is not intercepted (ISTIO_OUTBOUND_OWNER_GROUPS)";
        /// `--redirect-dns`; `-o 53` is the only exclusion that applies.
        DnsCaptured => RedirectDns, "dns_captured",
            "it asks a DNS server whose questions are captured (--redirect-dns, --capture-all-dns)";
        /// `-d 127.0.0.1/32 -j RETURN`.
        LoopbackDestination => Pass, "loopback_destination",
            "the destination is the loopback address";
        /// `-x`.
        OutboundCidrExcluded => Pass, "outbound_cidr_excluded",
            "the destination lies in an excluded range (--istio-service-exclude-cidr)";
        /// `-q`.
        OutboundPortIncluded => RedirectOutbound, "outbound_port_included",
            "the destination port is included (--istio-outbound-ports)";
        /// `-i`.
        OutboundCidrIncluded => RedirectOutbound, "outbound_cidr_included",
            "the destination lies in an included range (--istio-service-cidr)";
        /// No list includes the destination.
        OutboundNotIncluded => Pass, "outbound_not_included",
            "no rule includes the destination (--istio-service-cidr, --istio-outbound-ports)";
        /// REDIRECT works on TCP only.
        NotTcp => Pass, "not_tcp",
            "only TCP is intercepted";
        /// The source is an address of the pod itself, so `PREROUTING` never sees the connection.
        FromInsidePod => Pass, "from_inside_pod",
            "the connection comes from inside the pod";
        /// `-b` is empty.
        InboundDisabled => Pass, "inbound_disabled",
            "inbound connections are not intercepted (--istio-inbound-ports is empty)";
        /// Port 15008.
        InboundTunnelPort => Pass, "inbound_tunnel_port",
            "the destination is the tunnel port (--inbound-tunnel-port)";
        /// `-d`, with `-b '*'` only.
        InboundPortExcluded => Pass, "inbound_port_excluded",
            "the destination port is excluded (--istio-local-exclude-ports)";
        /// `-b`.
        InboundPortIncluded => RedirectInbound, "inbound_port_included",
            "the destination port is intercepted (--istio-inbound-ports)";
        /// The port is not in the list of `-b`.
        InboundPortNotIncluded => Pass, "inbound_port_not_included",
            "the destination port is not in the list (--istio-inbound-ports)";
        /// `SO_BINDTODEVICE`: iptables redirects the packet, finds no route for it, and drops it.
        BoundToInterface => Fail(Refused), "bound_to_interface",
            "it was to be redirected, and its socket is bound to an interface that does not lead to the sidecar \
             (SO_BINDTODEVICE); refused";
        /// The kernel had no route when the pod was enrolled. It looks for one before any rule is asked, so under
        /// iptables `connect()` fails as well.
        NoRoute => Fail(NetworkUnreachable), "no_route",
            "it was to be redirected, and the pod had no route to the destination when it was enrolled";
        /// The route is `unreachable`.
        RouteUnreachable => Fail(HostUnreachable), "route_unreachable",
            "it was to be redirected, and the pod's route to the destination is `unreachable`";
        /// The route is `blackhole`.
        RouteBlackhole => Fail(Invalid), "route_blackhole",
            "it was to be redirected, and the pod's route to the destination is `blackhole`";
        /// The route is `prohibit`.
        RouteProhibit => Fail(NotAllowed), "route_prohibit",
            "it was to be redirected, and the pod's route to the destination is `prohibit`";
        /// The kernel refuses TCP to broadcast and multicast addresses.
        DestinationIsMany => Fail(NetworkUnreachable), "destination_is_many",
            "it was to be redirected, and TCP has no connections to a broadcast or multicast address";
    }

    Failure {
        /// A connection was to be redirected, and all slots that were tried are in use, or there is no memory.
        NoSlot, "no_slot",
            "no slot was free to remember the destination; refused";
        /// A connection was to be redirected, and the sidecar does not listen.
        NoListener, "no_listener",
            "the sidecar does not listen on its port; refused";
        /// The kernel took no memory for it, or the socket is of Multipath TCP.
        ListenerNotRecorded, "listener_not_recorded",
            "a listening socket of the sidecar could not be recorded, and gets nothing";
        /// The sidecar has more listening sockets on one port than are recorded. Of a `SO_REUSEPORT` group, one is
        /// enough.
        ListenerReplaced, "listener_replaced",
            "more listening sockets on one sidecar port than are recorded; the newest took the place of the one before";
        /// A process that is not the sidecar listens on a port of the sidecar.
        ForeignListener, "foreign_listener",
            "a process that is not the sidecar listens on a sidecar port; it gets nothing";
        /// A connection that did not come over `lo` was to a slot, or to the IPv6 network of the slots. Only we send
        /// connections there, and only from inside.
        SlotFromOutside, "slot_from_outside",
            "a connection from outside to an address that only redirection uses; refused";
        /// `bind()`, `connect()`, a message or a packet had an address of the slots' networks as its source. Answers of
        /// the DNS agent have, and nothing else.
        SlotAsSource, "slot_as_source",
            "an address that only redirection uses was to be the source of something (127.128.0.0/9, \
             fd69:6e74:6572:6365::/64); refused";
        /// A UDP socket that the sidecar did not make is where the DNS agent's is expected, or was to be bound there.
        ForeignDnsAgent, "foreign_dns_agent",
            "a process that is not the sidecar is, or wanted to be, where the DNS agent is asked; refused";
        /// `sendto()` from a socket with `SO_BINDTODEVICE`. Under iptables the question is lost.
        DnsBoundToInterface, "dns_bound_to_interface",
            "a question was to go to the DNS agent, and its socket is bound to an interface at which the answer does \
             not arrive (SO_BINDTODEVICE); refused";
        /// `SO_ORIGINAL_DST` or `getpeername()` asked for a slot whose cell has another one by now.
        SlotForgotten, "slot_forgotten",
            "the original destination of a connection was asked for after its slot had been given to another";
        /// The guard: a socket outside of the pod's cgroup sent a packet that was to be redirected.
        GuardOutsider, "guard_outsider",
            "a process outside of the pod's cgroup sent a packet that was to be redirected; dropped (--guard)";
        /// The guard: a raw socket or a packet socket did.
        GuardRawSocket, "guard_raw_socket",
            "a raw socket sent a packet that was to be redirected; dropped (--guard)";
        /// The guard: the packet goes to another machine first, by LSRR, SSRR or an IPv6 routing header, and what goes
        /// to that machine is redirected.
        GuardSourceRoute, "guard_source_route",
            "a packet with a source route goes to a machine to which connections are redirected; dropped (--guard)";
        /// The guard: the destination is that of a redirected connection, and an interface other than `lo` leads there.
        GuardRedirected, "guard_redirected",
            "a packet to the sidecar was about to leave the pod; dropped (--guard)";
        /// The guard: no protocol can be found in the packet, or only a part of TCP's header.
        GuardUnreadable, "guard_unreadable",
            "a packet has headers that nothing but a raw socket writes, and no rule can judge it; dropped (--guard)";
    }

    Acceleration {
        /// Counted for each direction of a connection, at its first message.
        Accelerated, "accelerated",
            "a direction of a connection goes from socket to socket (--accelerate)";
        /// A direction falls back to TCP, for good.
        AccelerationOverBudget, "acceleration_over_budget",
            "an accelerated direction went back to TCP: too much waited for its reader (--accelerate-budget)";
        /// Above the limit the kernel may refuse to queue a message, and `send()` would fail. Also counted if the
        /// amount of memory cannot be read.
        AccelerationMemoryPressure, "acceleration_memory_pressure",
            "not accelerated, or not any more: TCP takes up much of the memory that it may (net.ipv4.tcp_mem)";
        /// The peer's address belongs neither to this pod nor to exactly one accelerated pod of this node.
        AccelerationPeerElsewhere, "acceleration_peer_elsewhere",
            "not accelerated: the other end is not in an accelerated pod of this node";
        /// Inside a pod, only connections to or from the sidecar are accelerated.
        AccelerationNoSidecar, "acceleration_no_sidecar",
            "not accelerated: a connection inside the pod that has no end at the sidecar";
        /// The peer has published no handshake when the first message is sent. That direction stays with TCP.
        AccelerationPeerAbsent, "acceleration_peer_absent",
            "not accelerated: the other end was not there yet, or is not accelerated";
        /// A proxy between the two sockets ends one connection and begins another.
        AccelerationUnproven, "acceleration_unproven",
            "not accelerated: the sequence numbers of both ends belong to different connections";
        /// A subflow is only a part of a connection.
        AccelerationMptcp, "acceleration_mptcp",
            "not accelerated: Multipath TCP";
        /// TCP Fast Open.
        AccelerationEarlyData, "acceleration_early_data",
            "not accelerated: data was on its way before the connection was established";
        /// `connect()` again, after `AF_UNSPEC` or a failure.
        AccelerationSocketReused, "acceleration_socket_reused",
            "not accelerated: the socket had another connection before";
        /// A map is full, the socket has an upper-layer protocol, or another socket still has its addresses.
        AccelerationNoRoom, "acceleration_no_room",
            "not accelerated: the socket could not be put into the table of accelerated sockets";
        /// `MSG_OOB`; the direction uses TCP from then on.
        AccelerationUrgentData, "acceleration_urgent_data",
            "not accelerated any more: urgent data was sent (MSG_OOB), which only TCP carries";
        /// The receiver has closed its socket. TCP tells the sender.
        AccelerationPeerGone, "acceleration_peer_gone",
            "an accelerated direction went back to TCP: its receiver had closed";
        /// The socket is in a socket map, where kTLS has crashed kernels.
        AccelerationUlpRefused, "acceleration_ulp_refused",
            "an upper-layer protocol (TCP_ULP, kTLS) was asked for on an accelerated socket; refused with ENOENT, as \
             on kernels without it";
    }
}

#[cfg(test)]
mod tests {
    use super::{Decision, Reason, ReasonKind};

    #[test]
    fn every_reason_stands_at_its_own_index() {
        for (index, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, index, "{reason:?}");
        }
    }

    #[test]
    fn a_decision_has_the_number_of_its_reason() {
        for (index, decision) in Decision::ALL.iter().enumerate() {
            assert_eq!(
                (*decision as usize, Reason::from(*decision) as usize),
                (index, index),
                "{decision:?}"
            );
        }
    }

    #[test]
    fn decisions_are_the_reasons_of_that_kind() {
        let decisions: usize = Reason::ALL
            .iter()
            .filter(|reason| reason.kind() == ReasonKind::Decision)
            .count();
        assert_eq!(decisions, Decision::ALL.len());
    }

    #[test]
    fn the_reasons_of_a_kind_stand_together() {
        let of = |kind: ReasonKind| Reason::ALL.iter().copied().filter(move |reason| reason.kind() == kind);
        assert!(ReasonKind::ALL.iter().copied().flat_map(of).eq(Reason::ALL.iter().copied()));
    }

    /// The documents list the reasons that their readers look up by label.
    #[test]
    fn the_reasons_of_acceleration_are_those_of_the_document() {
        let document = include_str!("../../docs/acceleration.md");
        let row = |reason: &Reason| {
            let label = reason.label();
            document.lines().any(|line| {
                line.strip_prefix("| `")
                    .and_then(|rest| rest.strip_prefix(label))
                    .is_some_and(|rest| rest.starts_with('`'))
            })
        };
        let of_acceleration = |reason: &&Reason| reason.kind() == ReasonKind::Acceleration;
        for reason in Reason::ALL.iter().filter(of_acceleration) {
            assert!(row(reason), "docs/acceleration.md lacks {}", reason.label());
        }
        let rows = document
            .lines()
            .filter(|line| line.starts_with("| `accelerat") && !line.contains("`INTERCEPTOR_"));
        assert_eq!(rows.count(), Reason::ALL.iter().filter(of_acceleration).count());
    }

    #[test]
    fn labels_are_unique_and_fit_a_metric() {
        let labels = || Reason::ALL.iter().map(|reason| reason.label());
        for (index, label) in labels().enumerate() {
            assert!(label.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{label}");
            assert!(labels().skip(index + 1).all(|other| other != label), "{label}");
        }
    }
}
