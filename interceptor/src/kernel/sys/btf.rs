// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Offsets of fields in the running kernel's structures, read from its type information. It never guesses an offset.

use std::{
    collections::{HashMap, HashSet},
    fs,
};

use anyhow::{Context as _, Result, bail};

/// Where fields lie in the structures of the running kernel, read from its type information. aya reads that too, but
/// does not give members away.
///
/// The format: <https://docs.kernel.org/bpf/btf.html>.
pub(crate) struct KernelTypes {
    data: Vec<u8>,
    /// Where each type's record begins; the index is its id.
    types: Vec<usize>,
    strings: usize,
}

const STRUCT: u32 = 4;
const UNION: u32 = 5;
/// `struct btf_type`, before what each kind adds.
const RECORD: usize = 12;
/// `struct btf_member`.
const MEMBER: usize = 12;

impl KernelTypes {
    /// Of the running kernel. Needs `CONFIG_DEBUG_INFO_BTF`.
    pub(crate) fn of_this_kernel() -> Result<Self> {
        const PATH: &str = "/sys/kernel/btf/vmlinux";
        let data = fs::read(PATH).with_context(|| format!("Failed to read the kernel's type information {PATH}"))?;
        Self::parse(data).with_context(|| format!("Failed to make sense of the kernel's type information {PATH}"))
    }

    pub(crate) fn parse(data: Vec<u8>) -> Result<Self> {
        const MAGIC: u32 = 0xeb9f;
        let header = |index: usize| word(&data, index * 4);
        if header(0)? & 0xffff != MAGIC {
            bail!("it does not begin with the magic number");
        }
        let [header_len, type_off, type_len, string_off] =
            [header(1)?, header(2)?, header(3)?, header(4)?].map(|word| word as usize);
        let (mut at, end) = (header_len + type_off, header_len + type_off + type_len);
        let mut types = vec![usize::MAX]; // id 0 is void, and has no record
        while at < end {
            types.push(at);
            at += RECORD + extra(word(&data, at + 4)?)?;
        }
        Ok(Self { types, strings: header_len + string_off, data })
    }

    /// The offset in bytes of a field of a structure, also where it lies in a nameless structure within.
    pub(crate) fn offset(&self, structure: &str, field: &str) -> Result<u64> {
        let record = self
            .record(structure)?
            .with_context(|| format!("this kernel has no struct {structure}"))?;
        self.find(record, field)?
            .with_context(|| format!("struct {structure} of this kernel has no field {field}"))
    }

    /// Where the record of a structure begins, if the kernel has that.
    fn record(&self, structure: &str) -> Result<Option<usize>> {
        for at in self.types.iter().skip(1) {
            if kind(self.word(at + 4)?) == STRUCT && self.string(self.word(*at)?)? == structure {
                return Ok(Some(*at));
            }
        }
        Ok(None)
    }

    fn find(&self, record: usize, field: &str) -> Result<Option<u64>> {
        let mut unvisited = vec![(record, 0)];
        // In damaged data a structure may be within itself.
        let mut seen = HashSet::from([record]);
        while let Some((record, start)) = unvisited.pop() {
            let info = self.word(record + 4)?;
            for index in 0..vlen(info) {
                let member = record + RECORD + index * MEMBER;
                // With the flag set, the upper byte is the size of a bit field.
                let bits = if info >> 31 == 1 {
                    self.word(member + 8)? & 0x00ff_ffff
                } else {
                    self.word(member + 8)?
                };
                let offset = start + u64::from(bits / 8);
                let name = self.string(self.word(member)?)?;
                if name == field {
                    return Ok(Some(offset));
                }
                let inner = *self.types.get(self.word(member + 4)? as usize).context("a type is missing")?;
                if name.is_empty()
                    && inner != usize::MAX
                    && matches!(kind(self.word(inner + 4)?), STRUCT | UNION)
                    && seen.insert(inner)
                {
                    unvisited.push((inner, offset));
                }
            }
        }
        Ok(None)
    }

    fn word(&self, at: usize) -> Result<u32> {
        word(&self.data, at)
    }

    fn string(&self, offset: u32) -> Result<&str> {
        let bytes = self.data.get(self.strings + offset as usize..).context("a string is missing")?;
        let end = bytes.iter().position(|byte| *byte == 0).context("a string does not end")?;
        std::str::from_utf8(&bytes[..end]).context("a string is not UTF-8")
    }
}

fn word(data: &[u8], at: usize) -> Result<u32> {
    let bytes = data.get(at..at + 4).context("it ends too early")?;
    Ok(u32::from_ne_bytes(bytes.try_into()?))
}

const fn kind(info: u32) -> u32 {
    (info >> 24) & 0x1f
}

const fn vlen(info: u32) -> usize {
    (info & 0xffff) as usize
}

/// How many bytes follow the record of a type.
fn extra(info: u32) -> Result<usize> {
    Ok(match kind(info) {
        1 | 14 | 17 => 4,                                // integer, variable, declaration tag
        2 | 7..=12 | 16 | 18 => 0,                       // pointer, names, qualifiers, function, float, type tag
        3 => 12,                                         // array
        STRUCT | UNION | 15 | 19 => vlen(info) * MEMBER, // and data section, 64-bit enumeration
        6 | 13 => vlen(info) * 8,                        // enumeration, function prototype
        unknown => bail!("types of kind {unknown} are unknown"),
    })
}

/// What the programs have to know of the kernel: where the credentials that a new socket gets are kept,
/// `current->cred->fsuid` and `fsgid`, some fields that no helper tells, such as who sends a packet, and whether it has
/// MPTCP.
pub(crate) fn constants() -> Result<HashMap<&'static str, u64>> {
    let layout = KernelTypes::of_this_kernel()?;
    Ok(HashMap::from([
        ("TASK_TGID", layout.offset("task_struct", "tgid")?),
        ("TASK_COMM", layout.offset("task_struct", "comm")?),
        ("TASK_CRED", layout.offset("task_struct", "cred")?),
        ("CRED_FSUID", layout.offset("cred", "fsuid")?),
        ("CRED_FSGID", layout.offset("cred", "fsgid")?),
        ("SKB_DEV", layout.offset("sk_buff", "dev")?),
        ("SKB_SK", layout.offset("sk_buff", "sk")?),
        ("NET_DEVICE_NET", layout.offset("net_device", "nd_net")?),
        ("NET_COOKIE", layout.offset("net", "net_cookie")?),
        ("SOCK_SOCKET", layout.offset("sock", "sk_socket")?),
        ("SOCKET_FILE", layout.offset("socket", "file")?),
        ("FILE_CRED", layout.offset("file", "f_cred")?),
        ("HAS_MPTCP", layout.record("mptcp_sock")?.is_some().into()),
        ("SOCKOPT_SK", layout.offset("bpf_sockopt_kern", "sk")?),
        ("INET_MC_INDEX", layout.offset("inet_sock", "mc_index")?),
        // Only with CONFIG_IPV6.
        ("INET_PINET6", layout.offset("inet_sock", "pinet6").unwrap_or_default()),
        ("IPV6_MCAST_OIF", layout.offset("ipv6_pinfo", "mcast_oif").unwrap_or_default()),
        ("TCP_WRITE_SEQ", layout.offset("tcp_sock", "write_seq")?),
        // Only with CONFIG_MPTCP; without it there is nothing to ask for.
        ("TCP_IS_MPTCP", layout.offset("tcp_sock", "is_mptcp").unwrap_or_default()),
        // `sk_rmem_alloc` is the first field of this one.
        ("SOCK_RMEM_ALLOC", layout.offset("sock", "sk_backlog")?),
        // `struct sock` begins with this one.
        ("SOCK_PROT", layout.offset("sock_common", "skc_prot")?),
        ("PROTO_MEMORY_ALLOCATED", layout.offset("proto", "memory_allocated")?),
        ("PROTO_SYSCTL_MEM", layout.offset("proto", "sysctl_mem")?),
        ("MSGHDR_FLAGS", layout.offset("msghdr", "msg_flags")?),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `struct outer { int a; struct { int b; int wanted; }; }`
    fn small() -> Vec<u8> {
        let strings = b"\0int\0outer\0a\0b\0wanted\0";
        let types: &[&[u32]] = &[
            &[1, 1 << 24, 4, 32],                                 // 1: int
            &[0, (STRUCT << 24) | 2, 8, 13 - 2, 1, 0, 15, 1, 32], // 2: nameless, fields at 11 and 15
            &[5, (STRUCT << 24) | 2, 12, 11, 1, 0, 0, 2, 32],     // 3: outer
        ];
        let types: Vec<u32> = types.concat();
        let types_len = u32::try_from(types.len() * 4).unwrap();
        let header = [0x0001_eb9f, 24, 0, types_len, types_len, u32::try_from(strings.len()).unwrap()];
        header
            .iter()
            .chain(&types)
            .flat_map(|word| word.to_ne_bytes())
            .chain(strings.iter().copied())
            .collect()
    }

    #[test]
    fn finds_fields_in_nameless_structures() {
        let layout = KernelTypes::parse(small()).unwrap();
        assert_eq!(layout.offset("outer", "a").unwrap(), 0);
        assert_eq!(layout.offset("outer", "wanted").unwrap(), 8);
        assert_eq!(
            (layout.record("outer").unwrap().is_some(), layout.record("other").unwrap()),
            (true, None)
        );
    }

    #[test]
    fn names_what_is_not_there() {
        let layout = KernelTypes::parse(small()).unwrap();
        assert!(layout.offset("outer", "c").unwrap_err().to_string().contains("no field c"));
        assert!(layout.offset("other", "a").unwrap_err().to_string().contains("no struct other"));
    }

    #[test]
    fn a_structure_within_itself_has_an_end() {
        let mut within_itself = small();
        // The type of the second member of `outer`: the nameless structure becomes `outer`.
        let member_type = 24 + 16 + 36 + RECORD + MEMBER + 4;
        assert_eq!(within_itself[member_type..member_type + 4], 2_u32.to_ne_bytes());
        within_itself[member_type..member_type + 4].copy_from_slice(&3_u32.to_ne_bytes());
        let layout = KernelTypes::parse(within_itself).unwrap();
        assert!(
            layout
                .offset("outer", "wanted")
                .unwrap_err()
                .to_string()
                .contains("no field wanted")
        );
    }

    #[test]
    fn something_else_is_refused() {
        assert!(KernelTypes::parse(b"\x7fELF, and more".to_vec()).is_err());
        assert!(KernelTypes::parse(small()[..40].to_vec()).is_err());
    }
}
