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

/// The chain that says that Istio's rules were written by this program.
const OWN_CHAIN: &[u8] = b"INTERCEPTOR_OUTPUT\0";
/// The chain that outbound connections go through, as `istio-iptables` calls it
/// ([`constants.go`](https://github.com/istio/istio/blob/master/tools/istio-iptables/pkg/constants/constants.go)).
const IPTABLES_CHAIN: &[u8] = b"ISTIO_OUTPUT\0";
/// The same, where Istio writes rules of nftables
/// ([`constants.go`](https://github.com/istio/istio/blob/master/tools/istio-nftables/pkg/constants/constants.go)).
const NFTABLES_CHAIN: &[u8] = b"istio-output\0";

/// How many bytes of rules are looked at. Istio's have some KB. Whoever has `CAP_NET_ADMIN` in the pod may write as
/// many as memory allows, and must neither fill this process's memory nor keep other pods waiting.
const LARGEST: usize = 32 << 20;

/// Istio's rules in a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IstioRules {
    /// By which of the kernel's two packet filters they work: `iptables-legacy`, or `nf_tables`, where iptables-nft
    /// and nft write.
    pub filter: &'static str,
    /// Whether this program wrote them.
    pub ours: bool,
}

/// The rules that are there, if there are any.
pub(crate) fn found(netns: &Netns) -> Result<Option<IstioRules>> {
    netns.run(|| {
        for family in [Family::V4, Family::V6] {
            if let Some(ours) = in_legacy(family)? {
                return Ok(Some(IstioRules { filter: "iptables-legacy", ours }));
            }
        }
        Ok(in_nf_tables()?.map(|ours| IstioRules { filter: "nf_tables", ours }))
    })?
}

/// Whether rules with these names of chains are ours, if they are Istio's.
fn whose(names: &[u8]) -> Option<bool> {
    let is_there = |name| contains(names, name);
    let ours = is_there(OWN_CHAIN);
    (ours || is_there(IPTABLES_CHAIN) || is_there(NFTABLES_CHAIN)).then_some(ours)
}

#[derive(Clone, Copy)]
enum Family {
    V4,
    V6,
}

impl Family {
    /// The names of the tables that there are in the namespace of this thread.
    const fn names(self) -> &'static str {
        match self {
            Self::V4 => "/proc/thread-self/net/ip_tables_names",
            Self::V6 => "/proc/thread-self/net/ip6_tables_names",
        }
    }
}

/// Looks for the chains in the tables of iptables-legacy. Istio's chain is in `nat`. Ours are in other tables too, of
/// which some are written before `nat`.
fn in_legacy(family: Family) -> Result<Option<bool>> {
    let names = family.names();
    // Asking for a table that is not there would make it.
    let tables = match fs::read_to_string(names) {
        Ok(tables) => tables,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("Failed to read {names}")),
    };
    let mut found = None;
    for table in ["nat", "mangle", "raw"] {
        if tables.lines().any(|name| name == table) {
            found = found.max(whose(&entries(family, table)?));
        }
    }
    Ok(found)
}

/// Asks how large a table of iptables-legacy is, and for the table
/// ([`ip_tables.h`](https://github.com/torvalds/linux/blob/v6.12/include/uapi/linux/netfilter_ipv4/ip_tables.h)).
fn entries(family: Family, table: &'static str) -> Result<Vec<u8>> {
    const GET_INFO: i32 = 64;
    const GET_ENTRIES: i32 = 65;
    /// `struct ipt_getinfo`, whose last field is the size of the entries.
    const INFO: usize = 84;
    /// `struct ipt_get_entries` without the entries.
    const HEAD: usize = 40;
    const TRIES: usize = 10;

    let (domain, level) = match family {
        Family::V4 => (Domain::IPV4, IPPROTO_IP),
        Family::V6 => (Domain::IPV6, IPPROTO_IPV6),
    };
    let socket = InetSocket::new(domain, Type::DGRAM, Some(Protocol::UDP)).context("Failed to make a socket")?;
    let socket = UdpSocket::from(socket);
    let for_table = |size: usize| {
        let mut bytes = vec![0; size];
        bytes[..table.len()].copy_from_slice(table.as_bytes());
        bytes
    };
    for _ in 0..TRIES {
        let mut info = for_table(INFO);
        sys::getsockopt(&socket, level, GET_INFO, &mut info)
            .with_context(|| format!("Failed to ask for the table {table}"))?;
        let size: [u8; 4] = info[INFO - 4..].try_into()?;
        let length = usize::try_from(u32::from_ne_bytes(size))?;
        expect_few(length).with_context(|| format!("Failed to read the table {table}"))?;
        let mut entries = for_table(HEAD + length);
        entries[32..36].copy_from_slice(&size);
        match sys::getsockopt(&socket, level, GET_ENTRIES, &mut entries) {
            Ok(()) => return Ok(entries.split_off(HEAD)),
            // Somebody has changed the table meanwhile.
            Err(error) if error.raw_os_error() == Some(EAGAIN) => {}
            Err(error) => return Err(error).with_context(|| format!("Failed to read the table {table}")),
        }
    }
    Err(io::Error::from_raw_os_error(EAGAIN))
        .with_context(|| format!("Failed to read the table {table}, which keeps changing"))
}

/// Looks for the chain among all chains of `nf_tables`, by either name: iptables-nft writes there as well.
fn in_nf_tables() -> Result<Option<bool>> {
    match nf_tables_chains() {
        Ok(chains) => Ok(whose(&chains)),
        // This kernel has no nf_tables.
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(EINVAL | ENOENT | ENOPROTOOPT | EOPNOTSUPP | EPROTONOSUPPORT)
            ) =>
        {
            Ok(None)
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
        expect_few(chains.len())?;
    }
}

fn expect_few(bytes: usize) -> io::Result<()> {
    if bytes <= LARGEST {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "the pod's rules have more than {} MiB, too many to look for Istio's among them",
        LARGEST >> 20
    )))
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

    #[test]
    fn rules_are_ours_if_our_chain_is_among_them() {
        assert_eq!(whose(b"ISTIO_OUTPUT\0"), Some(false));
        assert_eq!(whose(b"istio-output\0"), Some(false));
        assert_eq!(whose(b"ISTIO_OUTPUT\0INTERCEPTOR_OUTPUT\0"), Some(true));
        assert_eq!(whose(b"INTERCEPTOR_OUTPUT\0"), Some(true));
        assert_eq!(whose(b"KUBE_OUTPUT\0"), None);
    }
}
