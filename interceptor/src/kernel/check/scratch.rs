// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An interception that lasts as long as a value: nothing is pinned.

use std::{
    fs::File,
    io,
    net::{Ipv4Addr, UdpSocket},
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};
use aya::Ebpf;
use interceptor_policy::{Enrollment, Reason};
use nix::{
    errno::Errno,
    sched::{CloneFlags, unshare},
    unistd::{getgid, getuid},
};

use crate::kernel::{
    node::acceleration,
    node::maps::Maps,
    pod::cgroup,
    programs::{
        object,
        table::{self, ACCELERATION_CGROUP_PROGRAMS, CGROUP_PROGRAMS, SK_LOOKUP},
    },
    sys,
};
use crate::{EnrollError, SystemAccounts};
use interceptor_config::{
    AccelerationConfig, CompiledPolicy, Flags, InterfaceFacts, IstioConfig, PodFacts, ResolvConf, Setting, Sources,
    compile,
};

/// How long one system call of a test may block. Far longer than any of them does on a busy machine, because what takes
/// longer counts as missing.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// Ends the interception when dropped.
pub(crate) struct Interception {
    cookie: u64,
    maps: Maps,
    _links: Vec<OwnedFd>,
    _object: Ebpf,
}

impl Interception {
    /// How often a reason was counted.
    pub(crate) fn count(&self, reason: Reason) -> Result<u64> {
        Ok(self.maps.counters(self.cookie)?.0[reason as usize])
    }
}

/// Moves the calling thread into a network namespace that exists only for a test.
pub(crate) fn enter_namespace() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| match errno {
        Errno::EPERM => lacks(
            "CAP_SYS_ADMIN",
            "which it takes to make a network namespace for the test of this kernel",
        ),
        errno => anyhow!(errno).context("Failed to make a network namespace"),
    })?;
    sys::bring_loopback_up().map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => lacks(
            "CAP_NET_ADMIN",
            "which it takes to bring an interface up for the test of this kernel",
        ),
        _other => anyhow!(error).context("Failed to bring the loopback interface up"),
    })
}

fn lacks(capability: &'static str, purpose: &'static str) -> anyhow::Error {
    EnrollError::LacksCapability { capability, purpose, source: Errno::EPERM }.into()
}

/// Intercepts the network namespace of the calling thread, with this process in the part of the sidecar.
///
/// The programs are attached to this process's own cgroup; in other namespaces they do nothing.
pub(crate) fn intercept_this_thread(accelerate: Option<AccelerationConfig>) -> Result<Interception> {
    let namespace = File::open("/proc/thread-self/ns/net").context("Failed to open the trial's network namespace")?;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("Failed to make a socket")?;
    let cookie = sys::netns_cookie(&socket).context("Failed to ask for the trial's cookie")?;
    let directory = cgroup::own_directory()?;
    let cgroup = File::open(&directory).with_context(|| format!("Failed to open {}", directory.display()))?;

    let policy = sidecar_is_this_process(accelerate)?;
    let accelerating = table::acceleration_programs().filter(|_| accelerate.is_some());
    let mut object = object::load_unpinned(table::programs().chain(accelerating))?;
    object::set_tail_call_target(&mut object)?;
    let lookup_stub = object::load_lookup_stub(&object, cookie)?;
    let mut maps = Maps::take(|name| {
        object
            .take_map(name.as_str())
            .with_context(|| format!("The kernel object has no map {name}"))
    })?;
    let mut links = vec![SK_LOOKUP.attach(&lookup_stub, &namespace)?];
    if accelerate.is_some() {
        links.extend(acceleration::attach(&mut object)?);
    }
    let accelerating = ACCELERATION_CGROUP_PROGRAMS.into_iter().filter(|_| accelerate.is_some());
    for info in CGROUP_PROGRAMS.into_iter().chain(accelerating) {
        let program = info.fd_in(&mut object)?;
        links.push(info.attach(&program.as_fd(), &cgroup)?);
    }
    maps.write_lists(1, &policy)?;
    let mut scalars = policy.policy;
    scalars.generation = 1;
    let enrollment = Enrollment {
        policy: scalars,
        fingerprint: 0,
        netns_inode: 0,
        cgroup_id: 0,
        addresses: 0,
        numbers: 0,
    };
    maps.add_counters(cookie)?;
    maps.slots.add(cookie)?.wait_until_seen(&maps.slots)?;
    maps.set_pod(cookie, enrollment)?;
    Ok(Interception { cookie, maps, _links: links, _object: object })
}

fn sidecar_is_this_process(acceleration: Option<AccelerationConfig>) -> Result<CompiledPolicy> {
    let flags = Flags::default()
        .with(Setting::ProxyUid, getuid().to_string())
        .with(Setting::ProxyGid, getgid().to_string());
    let sources = Sources { flags: &flags, environment: &|_name| None, annotations: None };
    let no_dns = ResolvConf { path: Path::new("/etc/resolv.conf"), read: &|_path| Ok(Vec::new()) };
    let (config, _warnings) = IstioConfig::resolve(sources, &SystemAccounts, no_dns)?;
    let config = IstioConfig { acceleration, ..config };
    let facts = PodFacts {
        interfaces: vec![InterfaceFacts {
            name: "eth0".to_owned(),
            index: 2,
            addresses: vec![Ipv4Addr::new(192, 0, 2, 1).into()],
        }],
        ..PodFacts::default()
    };
    Ok(compile(&config.supported()?, &facts)?)
}
