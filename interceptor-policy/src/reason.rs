// SPDX-License-Identifier: Apache-2.0 OR MIT
/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It goes where it was going.
    Pass,
    /// It goes to the sidecar's outbound port (15001).
    RedirectOutbound,
    /// It goes to the sidecar's inbound port (15006).
    RedirectInbound,
    /// It goes to the sidecar's DNS port (15053).
    RedirectDns,
    /// It ends with `ECONNREFUSED` (or `EPERM` where the kernel has nothing better): nothing passes because we failed.
    Refuse,
}

/// What happens to a connection, and the rule that said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a verdict that nobody carries out lets traffic pass"]
pub struct Verdict {
    pub action: Action,
    pub reason: Reason,
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident => $action:ident, $label:literal, $sentence:literal;)+) => {
        /// Why: the rule that decided, or what kept a decision from being carried out.
        ///
        /// Dense: the number is the index of the kernel's counter, [`Self::label`] the name in metrics,
        /// [`Self::sentence`] what `interceptor explain` says.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Reason { $($(#[doc = $doc])+ $name),+ }

        impl Reason {
            /// All reasons, each at its own index.
            pub const ALL: &[Self] = &[$(Self::$name),+];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// What is done with a connection for this reason.
            #[inline(always)]
            pub const fn action(self) -> Action {
                match self { $(Self::$name => Action::$action),+ }
            }

            /// A short name, fit for a metric's label.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label),+ }
            }

            /// One sentence for a person.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence),+ }
            }
        }
    };
}

reasons! {
    /// A family that Istio writes no rules for in this pod.
    FamilyNotIntercepted => Pass, "family_not_intercepted", "IPv6 is not intercepted in this pod";
    /// `-c`, before every other rule.
    InterfaceExcluded => Pass, "interface_excluded", "it passes through an excluded interface (--istio-exclude-interfaces)";
    /// `-o`, before every rule on addresses and owners.
    OutboundPortExcluded => Pass, "outbound_port_excluded", "the destination port is excluded (--istio-local-outbound-ports-exclude)";
    /// `-o lo -s 127.0.0.6/32 -j RETURN`.
    PassthroughSource => Pass, "passthrough_source", "the sidecar hands an inbound connection to its application (source 127.0.0.6 or ::6)";
    /// The proxy dials an address of its own pod: its own inbound side takes it.
    ProxyToOwnPod => RedirectInbound, "proxy_to_own_pod", "the sidecar connects to its own pod, which goes through its inbound side";
    /// The same under TPROXY, for what table `nat` lets pass: marked 1338 in `OUTPUT`, delivered in `PREROUTING`.
    ProxyToOwnPodTransparently => RedirectInbound, "proxy_to_own_pod_transparently", "the sidecar connects to an intercepted port of its own pod (TPROXY)";
    /// `-o lo ! --uid-owner 1337 -j RETURN`.
    LocalDestination => Pass, "local_destination", "the destination is an address of this pod";
    /// `--uid-owner 1337 -j RETURN` and its like.
    ProxyOwner => Pass, "proxy_owner", "the socket was made by the sidecar (its user or group)";
    /// Owner groups, `ISTIO_OUTBOUND_OWNER_GROUPS` and `..._EXCLUDE`.
    OwnerGroup => Pass, "owner_group", "the group that made the socket is not intercepted (ISTIO_OUTBOUND_OWNER_GROUPS)";
    /// `--redirect-dns`; no exclusion but `-o 53` applies to it.
    DnsCaptured => RedirectDns, "dns_captured", "it asks a DNS server whose questions are captured (--redirect-dns, --capture-all-dns)";
    /// `-d 127.0.0.1/32 -j RETURN`.
    LoopbackDestination => Pass, "loopback_destination", "the destination is the loopback address";
    /// `-x`.
    OutboundCidrExcluded => Pass, "outbound_cidr_excluded", "the destination lies in an excluded range (--istio-service-exclude-cidr)";
    /// `-q`.
    OutboundPortIncluded => RedirectOutbound, "outbound_port_included", "the destination port is included (--istio-outbound-ports)";
    /// `-i`.
    OutboundCidrIncluded => RedirectOutbound, "outbound_cidr_included", "the destination lies in an included range (--istio-service-cidr)";
    /// Nothing asked for it.
    OutboundNotIncluded => Pass, "outbound_not_included", "no rule includes the destination (--istio-service-cidr, --istio-outbound-ports)";
    /// REDIRECT works on TCP only.
    NotTcp => Pass, "not_tcp", "only TCP is intercepted";
    /// From an address of the pod itself; `PREROUTING` is not consulted for those.
    FromInsidePod => Pass, "from_inside_pod", "the connection comes from inside the pod";
    /// `-b` is empty.
    InboundDisabled => Pass, "inbound_disabled", "inbound connections are not intercepted (--istio-inbound-ports is empty)";
    /// Port 15008.
    InboundTunnelPort => Pass, "inbound_tunnel_port", "the destination is the tunnel port (--inbound-tunnel-port)";
    /// `-d`, with `-b '*'` only.
    InboundPortExcluded => Pass, "inbound_port_excluded", "the destination port is excluded (--istio-local-exclude-ports)";
    /// `-b`.
    InboundPortIncluded => RedirectInbound, "inbound_port_included", "the destination port is intercepted (--istio-inbound-ports)";
    /// Not in the list of `-b`.
    InboundPortNotIncluded => Pass, "inbound_port_not_included", "the destination port is not in the list (--istio-inbound-ports)";
    /// `SO_BINDTODEVICE`: iptables drops what it has redirected and finds no route for.
    BoundToInterface => Refuse, "bound_to_interface", "it was to be redirected, and its socket is bound to an interface that does not lead to the sidecar (SO_BINDTODEVICE); refused";
    /// The connection was to be redirected, and all candidate slots hold other destinations.
    NoSlot => Refuse, "no_slot", "no slot was free to remember the destination; refused";
    /// The connection was to be redirected, and the sidecar does not listen.
    NoListener => Refuse, "no_listener", "the sidecar does not listen on its port; refused";
    /// More listening sockets on one port than the table holds.
    ListenerNotRecorded => Refuse, "listener_not_recorded", "a listening socket of the sidecar found no room in the listener table";
    /// A listening socket on a sidecar port whose maker is not the sidecar.
    ForeignListener => Refuse, "foreign_listener", "a process that is not the sidecar listens on a sidecar port; it gets nothing";
    /// From outside to the IPv6 network of the slots, which only we send connections to, from inside.
    SlotFromOutside => Refuse, "slot_from_outside", "a connection from outside to an address that only redirection uses; refused";
    /// SO_ORIGINAL_DST or getpeername asked for a slot that was recycled.
    SlotForgotten => Refuse, "slot_forgotten", "the original destination of a connection was asked for after its slot had been recycled";
    /// Counted for each direction of a connection, at its first message.
    Accelerated => Pass, "accelerated", "a direction of a connection goes from socket to socket (--accelerate)";
    /// A direction goes back to TCP, for good.
    AccelerationOverBudget => Pass, "acceleration_over_budget", "an accelerated direction went back to TCP: too much waited for its reader (--accelerate-budget)";
    /// Beyond this the kernel may refuse what is put into a queue, and `send()` fails. Also when nobody can tell how
    /// much memory is left.
    AccelerationMemoryPressure => Pass, "acceleration_memory_pressure", "not accelerated, or not any more: TCP takes up much of the memory that it may (net.ipv4.tcp_mem)";
    /// Not in this pod, and no address of just one accelerated pod of this node.
    AccelerationPeerElsewhere => Pass, "acceleration_peer_elsewhere", "not accelerated: the other end is not in an accelerated pod of this node";
    /// Acceleration is for what the mesh brings together.
    AccelerationNoSidecar => Pass, "acceleration_no_sidecar", "not accelerated: a connection inside the pod that has no end at the sidecar";
    /// Not there when the first message is sent, or never; that direction stays with TCP.
    AccelerationPeerAbsent => Pass, "acceleration_peer_absent", "not accelerated: the other end was not there yet, or is not accelerated";
    /// Something on the way ends one connection and begins another.
    AccelerationUnproven => Pass, "acceleration_unproven", "not accelerated: the sequence numbers of both ends belong to different connections";
    /// Subflows are not connections.
    AccelerationMptcp => Pass, "acceleration_mptcp", "not accelerated: Multipath TCP";
    /// TCP Fast Open.
    AccelerationEarlyData => Pass, "acceleration_early_data", "not accelerated: data was on its way before the connection was established";
    /// `connect()` again, after `AF_UNSPEC` or a failure.
    AccelerationSocketReused => Pass, "acceleration_socket_reused", "not accelerated: the socket had another connection before";
    /// No room in a table, an upper-layer protocol on the socket, or its addresses still in use.
    AccelerationNoRoom => Pass, "acceleration_no_room", "not accelerated: the socket could not be put into the table of accelerated sockets";
    /// `MSG_OOB`; that direction goes by TCP from then on.
    AccelerationUrgentData => Pass, "acceleration_urgent_data", "not accelerated any more: urgent data was sent (MSG_OOB), which only TCP carries";
    /// The receiver closed; TCP tells the sender.
    AccelerationPeerGone => Pass, "acceleration_peer_gone", "an accelerated direction went back to TCP: its receiver had closed";
    /// The socket is in a socket map, and kTLS on those has crashed kernels.
    AccelerationUlpRefused => Refuse, "acceleration_ulp_refused", "an upper-layer protocol (TCP_ULP, kTLS) was asked for on an accelerated socket; refused with ENOENT, as on kernels without it";
}

impl From<Reason> for Verdict {
    #[inline(always)]
    fn from(reason: Reason) -> Self {
        Self { action: reason.action(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn every_reason_stands_at_its_own_index() {
        for (index, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, index, "{reason:?}");
        }
    }

    #[test]
    fn labels_are_unique_and_fit_a_metric() {
        for (index, reason) in Reason::ALL.iter().enumerate() {
            assert!(
                reason.label().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                "{reason:?}"
            );
            assert!(
                Reason::ALL.iter().skip(index + 1).all(|other| other.label() != reason.label()),
                "{reason:?}"
            );
        }
    }
}
