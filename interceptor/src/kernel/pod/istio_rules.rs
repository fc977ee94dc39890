// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether a network namespace has Istio's own rules, in any of their three forms. It never changes a rule.

use std::{fs, io, net::UdpSocket};

use anyhow::{Context as _, Result};
use netlink_sys::{Socket, protocols::NETLINK_NETFILTER};
use nix::libc::{
    EAGAIN, EINVAL, ENOENT, ENOPROTOOPT, EOPNOTSUPP, EPROTONOSUPPORT, IPPROTO_IP, IPPROTO_IPV6, NLM_F_DUMP,
    NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR,
};
use socket2::{Domain, Protocol, Socket as InetSocket, Type};

use crate::kernel::{pod::netns::Netns, sys};

/// The chain that outbound connections go through, as `istio-iptables` calls it
/// ([`constants.go`](https://github.com/istio/istio/blob/master/tools/istio-iptables/pkg/constants/constants.go)).
const IPTABLES_CHAIN: &[u8] = b"ISTIO_OUTPUT\0";
/// The same, where Istio writes rules of nftables
/// ([`constants.go`](https://github.com/istio/istio/blob/master/tools/istio-nftables/pkg/constants/constants.go)).
const NFTABLES_CHAIN: &[u8] = b"istio-output\0";

/// By which of the kernel's two packet filters the rules work, if there are any.
pub(crate) fn found(netns: &Netns) -> Result<Option<&'static str>> {
    netns.run(|| {
        if in_legacy(Family::V4)? || in_legacy(Family::V6)? {
            return Ok(Some("iptables-legacy"));
        }
        Ok(in_nf_tables()?.then_some("nf_tables"))
    })?
}

#[derive(Clone, Copy)]
enum Family {
    V4,
    V6,
}

/// Looks for the chain in the table `nat` of iptables-legacy: asks how large the table is, and for the table
/// ([`ip_tables.h`](https://github.com/torvalds/linux/blob/v6.12/include/uapi/linux/netfilter_ipv4/ip_tables.h)).
fn in_legacy(family: Family) -> Result<bool> {
    const GET_INFO: i32 = 64;
    const GET_ENTRIES: i32 = 65;
    /// `struct ipt_getinfo`, whose last field is the size of the entries.
    const INFO: usize = 84;
    /// `struct ipt_get_entries` without the entries.
    const HEAD: usize = 40;
    const TRIES: usize = 10;

    let (domain, level, names) = match family {
        Family::V4 => (Domain::IPV4, IPPROTO_IP, "/proc/thread-self/net/ip_tables_names"),
        Family::V6 => (Domain::IPV6, IPPROTO_IPV6, "/proc/thread-self/net/ip6_tables_names"),
    };
    // Asking for a table that is not there would make it.
    match fs::read_to_string(names) {
        Ok(names) if names.lines().any(|name| name == "nat") => {}
        Ok(_) => return Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).with_context(|| format!("Failed to read {names}")),
    }
    let socket = InetSocket::new(domain, Type::DGRAM, Some(Protocol::UDP)).context("Failed to make a socket")?;
    let socket = UdpSocket::from(socket);
    let for_nat = |size: usize| {
        let mut bytes = vec![0; size];
        bytes[..3].copy_from_slice(b"nat");
        bytes
    };
    for _ in 0..TRIES {
        let mut info = for_nat(INFO);
        sys::getsockopt(&socket, level, GET_INFO, &mut info).context("Failed to ask for the table nat")?;
        let size: [u8; 4] = info[INFO - 4..].try_into()?;
        let mut entries = for_nat(HEAD + usize::try_from(u32::from_ne_bytes(size))?);
        entries[32..36].copy_from_slice(&size);
        match sys::getsockopt(&socket, level, GET_ENTRIES, &mut entries) {
            Ok(()) => return Ok(contains(&entries[HEAD..], IPTABLES_CHAIN)),
            // Somebody has changed the table meanwhile.
            Err(error) if error.raw_os_error() == Some(EAGAIN) => {}
            Err(error) => return Err(error).context("Failed to read the table nat"),
        }
    }
    Err(io::Error::from_raw_os_error(EAGAIN)).context("Failed to read the table nat, which keeps changing")
}

/// Looks for the chain among all chains of `nf_tables`, by either name: iptables-nft writes there as well.
fn in_nf_tables() -> Result<bool> {
    match nf_tables_chains() {
        Ok(chains) => Ok(contains(&chains, IPTABLES_CHAIN) || contains(&chains, NFTABLES_CHAIN)),
        // This kernel has no nf_tables.
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(EINVAL | ENOENT | ENOPROTOOPT | EOPNOTSUPP | EPROTONOSUPPORT)
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(error).context("Failed to list the chains of nf_tables"),
    }
}

/// What the kernel tells of all chains, as it is
/// ([`nf_tables.h`](https://github.com/torvalds/linux/blob/v6.12/include/uapi/linux/netfilter/nf_tables.h)).
fn nf_tables_chains() -> io::Result<Vec<u8>> {
    const HEADER: u32 = 16;
    /// `struct nfgenmsg`: any family.
    const OF_ALL_FAMILIES: [u8; 4] = [0; 4];
    /// `NFNL_SUBSYS_NFTABLES`, `NFT_MSG_GETCHAIN`
    const GET_CHAIN: u16 = 10 << 8 | 4;

    let flags = u16::try_from(NLM_F_REQUEST | NLM_F_DUMP).map_err(io::Error::other)?;
    let mut request = (HEADER + 4).to_ne_bytes().to_vec();
    request.extend(GET_CHAIN.to_ne_bytes());
    request.extend(flags.to_ne_bytes());
    request.extend([0; 8]); // sequence and port
    request.extend(OF_ALL_FAMILIES);

    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.send(&request, 0)?;
    let mut chains = Vec::new();
    loop {
        let (datagram, _kernel) = socket.recv_from_full()?;
        if is_last(&datagram)? {
            return Ok(chains);
        }
        chains.extend(datagram);
    }
}

/// Whether a datagram ends a dump. The end has a datagram of its own.
fn is_last(datagram: &[u8]) -> io::Result<bool> {
    let field = |from: usize, to: usize| datagram.get(from..to).ok_or(io::ErrorKind::UnexpectedEof);
    let kind: [u8; 2] = field(4, 6)?.try_into().map_err(io::Error::other)?;
    match i32::from(u16::from_ne_bytes(kind)) {
        NLMSG_DONE => Ok(true),
        NLMSG_ERROR => {
            let code: [u8; 4] = field(16, 20)?.try_into().map_err(io::Error::other)?;
            Err(io::Error::from_raw_os_error(
                i32::from_ne_bytes(code).checked_neg().unwrap_or(EINVAL),
            ))
        }
        _ => Ok(false),
    }
}

fn contains(bytes: &[u8], name: &[u8]) -> bool {
    bytes.windows(name.len()).any(|window| window == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_ends_with_its_last_datagram_or_with_an_error() {
        let message = |kind: u16, code: i32| {
            let mut bytes = 20_u32.to_ne_bytes().to_vec();
            bytes.extend(kind.to_ne_bytes());
            bytes.extend([0; 10]);
            bytes.extend(code.to_ne_bytes());
            bytes
        };
        assert!(is_last(&message(3, 0)).unwrap());
        assert!(!is_last(&message(10 << 8 | 3, 0)).unwrap());
        assert_eq!(is_last(&message(2, -2)).unwrap_err().raw_os_error(), Some(ENOENT));
        assert!(is_last(&message(2, i32::MIN)).is_err());
        assert!(is_last(&[1, 2]).is_err());
    }

    #[test]
    fn a_name_ends_where_the_searched_one_ends() {
        assert!(contains(b"xISTIO_OUTPUT\0y", IPTABLES_CHAIN));
        assert!(!contains(b"ISTIO_OUTPUT_DNS\0", IPTABLES_CHAIN));
        assert!(!contains(b"", IPTABLES_CHAIN));
    }
}
