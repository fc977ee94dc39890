// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The headers of a packet that leaves by an interface, as far as the guard looks at them. It knows no map and no rule.

use core::{cell::Cell, ffi::c_void};

use aya_ebpf::{
    bindings::{__sk_buff, bpf_hdr_start_off::BPF_HDR_START_NET},
    helpers::generated::bpf_skb_load_bytes_relative,
};
use interceptor_policy::{Address, Protocol};

use crate::{
    ctx::field,
    search::{Search, find_first_with},
};

const ETH_P_IP: u16 = 0x0800;
const ETH_P_IPV6: u16 = 0x86dd;

const IPPROTO_HOPOPTS: u8 = 0;
const IPPROTO_TCP: u8 = 6;
const IPPROTO_UDP: u8 = 17;
const IPPROTO_ROUTING: u8 = 43;
const IPPROTO_FRAGMENT: u8 = 44;
const IPPROTO_AH: u8 = 51;
const IPPROTO_DSTOPTS: u8 = 60;

/// What a packet is, to the guard.
pub(crate) enum Packet {
    /// It begins no TCP connection, and is no UDP datagram. Or it is a later fragment, which has no ports.
    Other,
    /// The first packet of a TCP connection, or a UDP datagram.
    First(Headers),
    /// A part is missing that every packet with such a beginning has. The address is any one of the packet's family.
    Unreadable(Address),
}

/// The headers of a first packet.
#[derive(Clone, Copy)]
pub(crate) struct Headers {
    pub(crate) protocol: Protocol,
    pub(crate) source: Address,
    /// Where the packet goes next.
    pub(crate) destination: Address,
    /// Destination port, host byte order.
    pub(crate) port: u16,
    /// Where the packet goes in the end, if it has a source route.
    pub(crate) route: Option<Address>,
}

/// The IP header, and where the next one is.
struct Network {
    source: Address,
    destination: Address,
    route: Option<Address>,
    protocol: u8,
    /// Of the transport header, in bytes from the IP header.
    offset: u32,
}

impl Packet {
    #[inline(always)]
    pub(crate) fn read(skb: *mut __sk_buff) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the upper half is always zero")]
        let ethertype = u16::from_be(field!(skb, protocol) as u16);
        let network = match ethertype {
            ETH_P_IP => read_v4(skb),
            ETH_P_IPV6 => read_v6(skb),
            _ => return Self::Other, // ARP and the like
        };
        match network {
            Ok(network) => Self::read_transport(skb, network),
            Err(answer) => answer,
        }
    }

    #[inline(always)]
    fn read_transport(skb: *mut __sk_buff, network: Network) -> Self {
        const FLAGS: u32 = 13;
        const SYN_AND_ACK: u8 = 0x12;
        const SYN: u8 = 0x02;
        let Network { source, destination, route, protocol, offset } = network;
        let protocol = match protocol {
            IPPROTO_TCP => {
                let Some([flags]) = load(skb, offset + FLAGS) else {
                    return Self::Unreadable(source); // a later fragment would bring its flags
                };
                if flags & SYN_AND_ACK != SYN {
                    return Self::Other; // an answer, or a later segment
                }
                Protocol::Tcp
            }
            IPPROTO_UDP => Protocol::Udp,
            _ => return Self::Other,
        };
        let Some([_, _, high, low]) = load(skb, offset) else {
            return Self::Unreadable(source); // cut off before its ports
        };
        let port = u16::from_be_bytes([high, low]);
        Self::First(Headers { protocol, source, destination, port, route })
    }
}

#[inline(always)]
fn read_v4(skb: *mut __sk_buff) -> Result<Network, Packet> {
    const SHORTEST: u32 = 20;
    const FRAGMENT_OFFSET: u32 = 0x1fff;
    let Some(header) = load_words::<5>(skb, 0) else {
        return Err(Packet::Unreadable(Address::UNSPECIFIED_V4)); // no IPv4 packet is shorter
    };
    let first = u32::from_be(header[0]);
    let length = (first >> 24 & 0xf) * 4;
    if length < SHORTEST {
        return Err(Packet::Unreadable(Address::UNSPECIFIED_V4)); // no receiver takes it
    }
    if u32::from_be(header[1]) & FRAGMENT_OFFSET != 0 {
        return Err(Packet::Other); // the first fragment has the ports, and was judged
    }
    let route = if length == SHORTEST { None } else { source_route(skb, length) };
    Ok(Network {
        source: Address::from_v4_be(header[3]),
        destination: Address::from_v4_be(header[4]),
        route,
        #[expect(clippy::cast_possible_truncation, reason = "one byte is wanted")]
        protocol: (u32::from_be(header[2]) >> 16) as u8,
        offset: length,
    })
}

/// Where a packet with a source route among its options (LSRR or SSRR) goes in the end
/// ([`ip_options_build`](https://github.com/torvalds/linux/blob/v6.12/net/ipv4/ip_options.c#L42)).
#[inline(always)]
fn source_route(skb: *mut __sk_buff, end: u32) -> Option<Address> {
    const MOST: u32 = 40;
    let options = Options { skb, end, at: Cell::new(20), last: Cell::new(0) };
    let (_stopped, Options { last, .. }) = find_first_with(MOST, options);
    let last = Some(last.get()).filter(|last| *last != 0)?;
    // A route that is cut off leads nowhere.
    Some(load_words::<1>(skb, last).map_or(Address::UNSPECIFIED_V4, |[address]| Address::from_v4_be(address)))
}

/// Looks for a source route among the options of an IPv4 header.
struct Options {
    skb: *mut __sk_buff,
    end: u32,
    /// Of the next option.
    at: Cell<u32>,
    /// Of the last address of the route that was found.
    last: Cell<u32>,
}

impl Search for Options {
    /// Accepts the route, and the end of all options.
    #[inline(always)]
    fn accepts(&self, _number: u32) -> bool {
        const END: u8 = 0;
        const NOTHING: u8 = 1;
        const LSRR: u8 = 131;
        const SSRR: u8 = 137;
        let at = self.at.get();
        if at >= self.end {
            return true;
        }
        let Some([kind, length]) = load(self.skb, at) else {
            return true;
        };
        // An option is at least as long as its first two bytes.
        let length = if kind == NOTHING { 1 } else { u32::from(length).max(2) };
        self.at.set(at + length);
        if kind == LSRR || kind == SSRR {
            self.last.set(at + length - 4); // an option starts after the header's twenty bytes
            return true;
        }
        kind == END
    }
}

#[inline(always)]
fn read_v6(skb: *mut __sk_buff) -> Result<Network, Packet> {
    /// RFC 8200 has one of each kind, and destination options twice. Only raw sockets send more.
    const MOST: u32 = 8;
    let Some(header) = load_words::<10>(skb, 0) else {
        return Err(Packet::Unreadable(Address([0; 4]))); // no IPv6 packet is shorter
    };
    #[expect(clippy::cast_possible_truncation, reason = "one byte is wanted")]
    let first = (u32::from_be(header[1]) >> 8) as u8;
    let extensions = Extensions { skb, kind: Cell::new(first), at: Cell::new(40), route: Cell::new(0) };
    let (stopped, Extensions { kind, at, route, .. }) = if Extensions::is_one(first) {
        find_first_with(MOST + 1, extensions)
    } else {
        (Some(0), extensions)
    };
    if stopped.is_none() || kind.get() == Extensions::CUT_OFF {
        return Err(Packet::Unreadable(Address([0; 4]))); // more than a socket sends, or less than is announced
    }
    // Segment routing lists the last segment first, and the other kinds that sockets send have one.
    let last = Some(route.get()).filter(|route| *route != 0);
    let last = last.map(|route| load_words::<4>(skb, route + 8).map_or(Address([0; 4]), Address));
    Ok(Network {
        source: Address([header[2], header[3], header[4], header[5]]),
        destination: Address([header[6], header[7], header[8], header[9]]),
        route: last,
        protocol: kind.get(),
        offset: at.get(),
    })
}

/// Looks for the transport header behind the extension headers of an IPv6 packet.
struct Extensions {
    skb: *mut __sk_buff,
    /// Of the header at [`Self::at`].
    kind: Cell<u8>,
    at: Cell<u32>,
    /// Of the routing header, or 0.
    route: Cell<u32>,
}

impl Extensions {
    /// "No next header": a later fragment has none that could be read.
    const NONE: u8 = 59;
    /// A number for experiments, which no packet that is redirected has.
    const CUT_OFF: u8 = 253;

    #[inline(always)]
    const fn is_one(kind: u8) -> bool {
        matches!(
            kind,
            IPPROTO_HOPOPTS | IPPROTO_ROUTING | IPPROTO_FRAGMENT | IPPROTO_AH | IPPROTO_DSTOPTS
        )
    }
}

impl Search for Extensions {
    /// Accepts the first header that is no extension header.
    #[inline(always)]
    fn accepts(&self, _number: u32) -> bool {
        const FRAGMENT_OFFSET: u16 = 0xfff8;
        let (kind, at) = (self.kind.get(), self.at.get());
        if !Self::is_one(kind) {
            return true;
        }
        let Some([next, length, high, low]) = load(self.skb, at) else {
            self.kind.set(Self::CUT_OFF);
            return true;
        };
        let later = kind == IPPROTO_FRAGMENT && u16::from_be_bytes([high, low]) & FRAGMENT_OFFSET != 0;
        self.kind.set(if later { Self::NONE } else { next });
        let length = u32::from(length);
        self.at.set(
            at + match kind {
                IPPROTO_FRAGMENT => 8,
                IPPROTO_AH => (length + 2) * 4,
                _ => (length + 1) * 8,
            },
        );
        if kind == IPPROTO_ROUTING {
            self.route.set(at);
        }
        false
    }
}

/// Reads bytes of the packet, counted from the IP header.
#[inline(always)]
fn load<const N: usize>(skb: *mut __sk_buff, offset: u32) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    load_into(skb, offset, (&raw mut bytes).cast(), N).then_some(bytes)
}

/// Reads words in network byte order.
#[inline(always)]
fn load_words<const N: usize>(skb: *mut __sk_buff, offset: u32) -> Option<[u32; N]> {
    let mut words = [0; N];
    load_into(skb, offset, (&raw mut words).cast(), N * 4).then_some(words)
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "headers are short")]
fn load_into(skb: *mut __sk_buff, offset: u32, to: *mut c_void, length: usize) -> bool {
    // SAFETY: `to` has `length` bytes, and the helper checks the offset. Counted from the IP header, offsets do not
    // depend on the kind of the interface.
    unsafe { bpf_skb_load_bytes_relative(skb.cast_const().cast(), offset, to, length as u32, BPF_HDR_START_NET) == 0 }
}
