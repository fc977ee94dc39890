// SPDX-License-Identifier: Apache-2.0 OR MIT
use std::{
    fs::File,
    hash::{BuildHasher as _, RandomState},
    os::fd::{AsFd as _, AsRawFd, OwnedFd},
    path::Path,
};

use anyhow::{Context as _, Result, anyhow, bail};
use aya::{
    Btf, Ebpf, EbpfLoader,
    maps::{Map, ProgramArray},
    programs::{Program, ProgramError},
};

use interceptor_policy::{Policy, PolicyFlags};

use crate::kernel::{programs::lookup_stub, sys, sys::btf};

/// The kernel programs, built by `build.rs`.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/interceptor-ebpf"));

/// What to do when the kernel refuses.
const HINT: &str =
    "this needs root or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, and `interceptor check` tells what the kernel lacks";

/// All maps of the object.
const MAPS: [&str; 14] = [
    "PODS",
    "NODE",
    "COUNTERS",
    "ADDRESSES",
    "PORTS_AND_IDS",
    "SOURCE_ADDRS",
    "PRIMARY_ADDRS",
    "SLOTS",
    "LISTENERS",
    "LOOKUP_CALLER",
    "LOOKUP_PROGS",
    "OWNERS",
    "PROXY_SOCKETS",
    "DNS_SERVERS",
];

/// The maps that only acceleration needs.
const ACCELERATION_MAPS: [&str; 4] = ["ACCELERATED", "HANDSHAKES", "SOCKET_STATE", "LOCAL_PODS"];

/// A program of the object, and where it attaches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProgramInfo {
    /// Its name in the object, and the name of its pins.
    pub(crate) name: &'static str,
    /// `enum bpf_attach_type`.
    attach_type: u32,
    /// The first Linux version that has all it uses.
    pub(crate) since: &'static str,
    needed: Needed,
}

/// Which pods a program is attached for: those that do not need it do not pay for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needed {
    Always,
    /// Where DNS is captured.
    ForDns,
    /// Where connections are accelerated.
    ForAcceleration,
}

/// The program that decides on what comes to a pod's network namespace. Each pod has a
/// [lookup_stub](super::lookup_stub) to it, which is what is attached.
pub(crate) const SK_LOOKUP: ProgramInfo =
    ProgramInfo { name: "on_sk_lookup", attach_type: 36, since: "5.17", needed: Needed::Always };

/// The programs that are attached to a pod's cgroup, and shared by all pods.
pub(crate) const CGROUP_PROGRAMS: [ProgramInfo; 13] = [
    ProgramInfo { name: "on_sock_create", attach_type: 2, since: "5.18", needed: Needed::Always },
    ProgramInfo { name: "on_sockops", attach_type: 3, since: "5.19", needed: Needed::Always },
    ProgramInfo { name: "on_getsockopt", attach_type: 21, since: "5.15", needed: Needed::Always },
    ProgramInfo { name: "on_getpeername4", attach_type: 29, since: "5.8", needed: Needed::Always },
    ProgramInfo { name: "on_getpeername6", attach_type: 30, since: "5.8", needed: Needed::Always },
    ProgramInfo { name: "on_getsockname4", attach_type: 31, since: "5.8", needed: Needed::Always },
    ProgramInfo { name: "on_getsockname6", attach_type: 32, since: "5.8", needed: Needed::Always },
    ProgramInfo { name: "on_recvmsg4", attach_type: 19, since: "5.8", needed: Needed::ForDns },
    ProgramInfo { name: "on_recvmsg6", attach_type: 20, since: "5.8", needed: Needed::ForDns },
    ProgramInfo { name: "on_sendmsg4", attach_type: 14, since: "5.18", needed: Needed::ForDns },
    ProgramInfo { name: "on_sendmsg6", attach_type: 15, since: "5.18", needed: Needed::ForDns },
    ProgramInfo { name: "on_connect4", attach_type: 10, since: "5.19", needed: Needed::Always },
    ProgramInfo { name: "on_connect6", attach_type: 11, since: "5.19", needed: Needed::Always },
];

/// The programs that are attached to the cgroups of accelerated pods besides. They are loaded when the first of those
/// is enrolled.
pub(crate) const ACCELERATION_CGROUP_PROGRAMS: [ProgramInfo; 2] = [
    ProgramInfo {
        name: "on_established",
        attach_type: 3,
        since: "5.11",
        needed: Needed::ForAcceleration,
    },
    ProgramInfo {
        name: "on_setsockopt",
        attach_type: 22,
        since: "5.18",
        needed: Needed::ForAcceleration,
    },
];

/// The program that is attached to the table of accelerated sockets, for as long as the table exists.
pub(crate) const MESSAGE: ProgramInfo = ProgramInfo {
    name: "on_message",
    attach_type: 7,
    since: "5.8",
    needed: Needed::ForAcceleration,
};

/// The program that is attached to a function of the kernel, [`TRACED`], which only sockets in socket maps call. Some
/// kernels are built or locked down so that they have none of this kind; acceleration works without, see
/// [`super::acceleration::attach`].
pub(crate) const URGENT: ProgramInfo = ProgramInfo {
    name: "on_urgent",
    attach_type: 24,
    since: "5.11",
    needed: Needed::ForAcceleration,
};
const TRACED: &str = "tcp_bpf_sendmsg";

/// The programs that every pod needs.
pub(crate) fn programs() -> impl Iterator<Item = ProgramInfo> {
    CGROUP_PROGRAMS.into_iter().chain([SK_LOOKUP])
}

/// The programs that acceleration needs.
pub(crate) fn acceleration_programs() -> impl Iterator<Item = ProgramInfo> {
    ACCELERATION_CGROUP_PROGRAMS.into_iter().chain([MESSAGE])
}

/// The programs of which a pod may have a link.
pub(crate) fn linked_programs() -> impl Iterator<Item = ProgramInfo> {
    programs().chain(ACCELERATION_CGROUP_PROGRAMS)
}

impl ProgramInfo {
    /// Whether it is attached for a pod with this policy.
    pub(crate) fn is_needed(self, policy: &Policy) -> bool {
        match self.needed {
            Needed::Always => true,
            Needed::ForDns => policy.has(PolicyFlags::DNS),
            Needed::ForAcceleration => policy.has(PolicyFlags::ACCELERATE),
        }
    }

    /// Attaches the program to a cgroup or, in the case of [`SK_LOOKUP`], to a network namespace.
    pub(crate) fn attach(self, program: &impl AsRawFd, target: &File) -> Result<OwnedFd> {
        sys::bpf_link_create(program, target, self.attach_type)
            .with_context(|| format!("Failed to attach {}", self.name))
    }

    /// Pins the program in `programs`.
    pub(crate) fn pin(self, object: &mut Ebpf, programs: &Path) -> Result<()> {
        self.of(object)?
            .pin(programs.join(self.name))
            .with_context(|| format!("Failed to pin {}", self.name))
    }

    /// Attaches the program to a function of the kernel.
    pub(crate) fn trace(self, program: &impl AsRawFd) -> Result<OwnedFd> {
        sys::bpf_raw_tracepoint_open(program).with_context(|| format!("Failed to attach {}", self.name))
    }

    /// Attaches the program to a socket map.
    pub(crate) fn attach_to_map(self, program: &impl AsRawFd, map: &impl AsRawFd) -> Result<()> {
        sys::bpf_prog_attach(program, map, self.attach_type).with_context(|| format!("Failed to attach {}", self.name))
    }

    /// The program in a loaded object.
    pub(crate) fn of(self, object: &mut Ebpf) -> Result<&mut Program> {
        object
            .program_mut(self.name)
            .with_context(|| format!("The kernel object has no program {}", self.name))
    }
}

/// Identifies this build of the kernel programs.
pub(crate) fn fingerprint() -> u64 {
    super::fingerprint::fingerprint_of(&OBJECT)
}

/// Creates the maps, pinned in `maps`, and loads the programs for cgroups, pinned in `programs`.
pub(crate) fn load_node(maps: &Path, programs: &Path) -> Result<()> {
    let mut object = open(Some(maps), Acceleration::Off)?;
    for info in self::programs() {
        load(&mut object, info)?;
        info.pin(&mut object, programs)?;
    }
    set_tail_call_target(&mut object)
}

/// Creates the maps of acceleration, pinned in `acceleration_maps`, and loads its programs, not pinned.
pub(crate) fn load_acceleration(maps: &Path, acceleration_maps: &Path) -> Result<Ebpf> {
    let mut object = open(Some(maps), Acceleration::Pinned(acceleration_maps))?;
    acceleration_programs().try_for_each(|info| load(&mut object, info))?;
    Ok(object)
}

/// Loads programs without pinning anything.
pub(crate) fn load_unpinned(infos: impl IntoIterator<Item = ProgramInfo>) -> Result<Ebpf> {
    let mut object = open(None, Acceleration::On)?;
    infos.into_iter().try_for_each(|info| load(&mut object, info))?;
    Ok(object)
}

/// Lets the lookup stubs find the program behind them, which is loaded.
pub(crate) fn set_tail_call_target(object: &mut Ebpf) -> Result<()> {
    let program = SK_LOOKUP.of(object)?.fd().and_then(|fd| Ok(fd.try_clone()?));
    let program = program.with_context(|| format!("Failed to use {}", SK_LOOKUP.name))?;
    let mut steering: ProgramArray<_> = object
        .map_mut("LOOKUP_PROGS")
        .context("The kernel object has no map LOOKUP_PROGS")?
        .try_into()?;
    steering.set(0, &program, 0).context("Failed to write the map LOOKUP_PROGS")
}

/// Loads the program that stands before [`SK_LOOKUP`] in one network namespace.
pub(crate) fn load_lookup_stub(object: &Ebpf, netns_cookie: u64) -> Result<OwnedFd> {
    let (Some(Map::PerCpuArray(callers)), Some(Map::ProgramArray(steering))) =
        (object.map("LOOKUP_CALLER"), object.map("LOOKUP_PROGS"))
    else {
        bail!("The kernel object lacks the maps LOOKUP_CALLER and LOOKUP_PROGS");
    };
    lookup_stub::load(netns_cookie, callers.fd().as_fd(), steering.fd().as_fd())
        .context("Failed to load a lookup_stub to on_sk_lookup")
}

/// What becomes of the maps of acceleration.
#[derive(Clone, Copy)]
enum Acceleration<'a> {
    /// No program uses them: they take no room, and go at once.
    Off,
    /// They live as long as the programs.
    On,
    /// They are pinned there.
    Pinned(&'a Path),
}

/// Makes the maps, or opens those pinned in `maps`, and gives the programs their constants.
fn open(maps: Option<&Path>, acceleration: Acceleration<'_>) -> Result<Ebpf> {
    let seed = seed();
    let constants = btf::constants()?;
    let mut loader = EbpfLoader::new();
    loader.override_global("SLOT_SEED", &seed, true);
    for (name, value) in &constants {
        loader.override_global(name, value, true);
    }
    for name in MAPS.into_iter().chain(cfg!(feature = "kernel-log").then_some("AYA_LOGS")) {
        if let Some(maps) = maps {
            loader.map_pin_path(name, maps.join(name));
        }
    }
    for name in ACCELERATION_MAPS {
        match acceleration {
            Acceleration::Off if name != "SOCKET_STATE" => drop(loader.map_max_entries(name, 1)),
            Acceleration::Off | Acceleration::On => {}
            Acceleration::Pinned(directory) => drop(loader.map_pin_path(name, directory.join(name))),
        }
    }
    loader
        .load(OBJECT)
        .with_context(|| format!("Failed to create or open the maps; {HINT}"))
}

/// A number that nobody can guess.
#[expect(clippy::cast_possible_truncation, reason = "any 32 bits of it will do")]
fn seed() -> u32 {
    RandomState::new().hash_one(()) as u32
}

pub(crate) fn load(object: &mut Ebpf, info: ProgramInfo) -> Result<()> {
    let loaded = match info.of(object)? {
        Program::CgroupSock(program) => program.load(),
        Program::CgroupSockAddr(program) => program.load(),
        Program::CgroupSockopt(program) => program.load(),
        Program::SockOps(program) => program.load(),
        Program::SkLookup(program) => program.load(),
        Program::SkMsg(program) => program.load(),
        Program::FEntry(program) => program.load(
            TRACED,
            &Btf::from_sys_fs().context("Failed to read the kernel's type information")?,
        ),
        _ => Err(ProgramError::UnexpectedProgramType),
    };
    loaded.map_err(|error| explain(info.name, error))
}

/// The verifier's log can have thousands of lines; its end says what was wrong.
fn explain(name: &str, error: ProgramError) -> anyhow::Error {
    let what = format!("The kernel refused the program {name}; {HINT}");
    match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            let log = verifier_log.to_string();
            let start = log.lines().count().saturating_sub(8);
            let end: Vec<&str> = log.lines().skip(start).collect();
            anyhow!(io_error).context(format!("{what}\n{}\n", end.join("\n")))
        }
        error => anyhow!(error).context(what),
    }
}
