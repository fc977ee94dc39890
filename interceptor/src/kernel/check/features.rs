// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What this machine can do. Every feature is tested by using it, except known socket map bugs, which the kernel's
//! release tells. Nothing that a test sets up outlives the test.

use std::{
    io::Read as _,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket},
    path::Path,
};

use anyhow::{Context as _, Result, bail, ensure};
use socket2::SockRef;

use crate::kernel::{
    check::acceleration::{self, NoMemory},
    check::guard,
    check::known_bad::CannotTell,
    check::scratch::{self, TIMEOUT},
    node::bpffs::Bpffs,
    pod::cgroup,
    programs::{
        object,
        table::{self, GUARD, ProgramInfo, URGENT},
    },
    sys,
};
use crate::{Missing, error::is_not_permitted};

/// Something that pods need, and whether this machine has it.
#[derive(Clone, Debug)]
pub struct Feature {
    pub name: &'static str,
    pub kind: Kind,
    pub needs: Needs,
    pub answer: Answer,
}

/// What a feature is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bpffs,
    Cgroup2,
    NetnsCookie,
    GracePeriod,
    /// A program that every pod needs.
    Program,
    /// A connection that is redirected by everything above.
    EndToEnd,
    /// The program that guards a pod's interfaces.
    Guard,
    /// A program that acceleration needs.
    AccelerationProgram,
    /// The program that finds urgent data on accelerated connections.
    UrgentProgram,
    /// That this kernel's socket maps have no known bug.
    KnownBugs,
    /// Connections that are accelerated.
    Acceleration,
}

impl Kind {
    /// Whether pods can be enrolled without it.
    pub const fn is_optional(self) -> bool {
        match self {
            Self::Bpffs | Self::Cgroup2 | Self::NetnsCookie | Self::GracePeriod | Self::Program | Self::EndToEnd => {
                false
            }
            Self::Guard | Self::AccelerationProgram | Self::UrgentProgram | Self::KnownBugs | Self::Acceleration => {
                true
            }
        }
    }

    /// Whether it is a program that the kernel has to load.
    pub const fn is_program(self) -> bool {
        matches!(self, Self::Program | Self::AccelerationProgram | Self::UrgentProgram)
    }
}

/// What a kernel has to be for a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// The first Linux version that has it.
    Linux(&'static str),
    /// A release without a known bug.
    Release,
    /// No version tells, only a test.
    Test,
}

/// Whether this machine has a feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Yes,
    /// The feature was tested, and it does not work.
    No(String),
    /// The feature could not be tested.
    Unknown(String),
    /// The kernel did not permit the test (`EPERM`): privileges are missing, or a security policy forbids it.
    Forbidden(String),
}

impl Answer {
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No(_) => "no",
            Self::Unknown(_) | Self::Forbidden(_) => "could not tell",
        }
    }

    /// The error that ended the test, if one did.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Yes => None,
            Self::No(why) | Self::Unknown(why) | Self::Forbidden(why) => Some(why),
        }
    }
}

impl From<Result<()>> for Answer {
    fn from(tested: Result<()>) -> Self {
        let Err(error) = tested else { return Self::Yes };
        let why = format!("{error:#}");
        if is_not_permitted(&error) {
            Self::Forbidden(why)
        } else if error.is::<CannotTell>() || error.is::<NoMemory>() {
            Self::Unknown(why)
        } else {
            Self::No(why)
        }
    }
}

/// Tests everything.
pub fn all(bpffs: &Path) -> Vec<Feature> {
    let mut features = needed(bpffs);
    features.push(feature("guard", Kind::Guard, Needs::Linux(GUARD.since), guarding()));
    features.extend(table::acceleration_programs().map(|info| program(Kind::AccelerationProgram, info)));
    features.extend([
        program(Kind::UrgentProgram, URGENT),
        feature(
            "no known socket map bugs",
            Kind::KnownBugs,
            Needs::Release,
            acceleration::has_no_known_bug(),
        ),
        feature("acceleration", Kind::Acceleration, Needs::Test, acceleration::test()),
    ]);
    features
}

/// Tests what every pod needs.
pub fn needed(bpffs: &Path) -> Vec<Feature> {
    let mut features = vec![
        feature(
            "bpffs",
            Kind::Bpffs,
            Needs::Linux("4.4"),
            Bpffs::open(bpffs).map(drop).map_err(Into::into),
        ),
        feature("cgroup2", Kind::Cgroup2, Needs::Linux("4.10"), cgroup2()),
        feature("SO_NETNS_COOKIE", Kind::NetnsCookie, Needs::Linux("5.14"), netns_cookie()),
        feature(
            "waiting for programs",
            Kind::GracePeriod,
            Needs::Linux("4.20"),
            sys::wait_for_programs().map_err(Into::into),
        ),
    ];
    features.extend(table::programs().map(|info| program(Kind::Program, info)));
    features.push(feature("redirection", Kind::EndToEnd, Needs::Linux("5.18"), redirection()));
    features
}

/// What this kernel lacks of what every pod needs.
pub(crate) fn missing(bpffs: &Path) -> Vec<Missing> {
    needed(bpffs)
        .into_iter()
        .filter(|feature| matches!(feature.answer, Answer::No(_)))
        .filter_map(|feature| match feature.needs {
            Needs::Linux(since) => Some(Missing { feature: feature.name, since }),
            Needs::Release | Needs::Test => None,
        })
        .collect()
}

fn feature(name: &'static str, kind: Kind, needs: Needs, tested: Result<()>) -> Feature {
    Feature { name, kind, needs, answer: tested.into() }
}

fn program(kind: Kind, info: ProgramInfo) -> Feature {
    let loaded = object::load_unpinned([info]).map(drop);
    feature(info.name, kind, Needs::Linux(info.since), loaded)
}

fn cgroup2() -> Result<()> {
    ensure!(!cgroup::mounts()?.is_empty(), "no cgroup2 file system is mounted");
    Ok(())
}

fn netns_cookie() -> Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("Failed to make a socket")?;
    sys::netns_cookie(&socket).context("Failed to ask for the cookie")?;
    Ok(())
}

/// Redirects in a network namespace that exists only for this test. There this process, as the sidecar's user,
/// connects to its own pod. The connection has to arrive at the inbound port, and its original destination has to be
/// known.
fn redirection() -> Result<()> {
    let test = std::thread::spawn(|| {
        scratch::enter_namespace()?;
        let _attached = scratch::intercept_this_thread(None)?;
        connect_to_own_pod()
    });
    test.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Guards an interface of a network namespace that exists only for this test.
fn guarding() -> Result<()> {
    let test = std::thread::spawn(|| {
        scratch::enter_namespace()?;
        guard::test()
    });
    test.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn connect_to_own_pod() -> Result<()> {
    const DIALED: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 6), 15002);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 15006)).context("Failed to listen on port 15006")?;
    let mut client = TcpStream::connect_timeout(&DIALED.into(), TIMEOUT)
        .with_context(|| format!("Failed to connect to {DIALED}"))?;
    let peer = client.peer_addr().context("Failed to ask for the peer (getpeername)")?;
    ensure!(
        peer == SocketAddr::from(DIALED),
        "getpeername answered {peer} instead of {DIALED}"
    );
    let (accepted, _peer) = listener.accept().context("Failed to accept the connection")?;
    let original = SockRef::from(&accepted)
        .original_dst_v4()
        .context("Failed to ask for the original destination")?;
    if original.as_socket_ipv4() != Some(DIALED) {
        bail!("SO_ORIGINAL_DST answered {original:?} instead of {DIALED}");
    }
    drop(accepted);
    client.set_read_timeout(Some(TIMEOUT)).context("Failed to set a time limit")?;
    ensure!(
        sys::retry(|| client.read(&mut [0])).context("Failed to see the connection end")? == 0,
        "the connection carried data that nobody sent"
    );
    Ok(())
}
