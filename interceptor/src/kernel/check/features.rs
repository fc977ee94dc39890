// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What this machine can do, found out by trying.

use std::{
    io::{self, Read as _},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sched::{CloneFlags, unshare};
use serde::{Serialize, Serializer};
use socket2::SockRef;

use crate::Missing;
use crate::kernel::{
    check::acceleration::{self as acceleration_trial, NoMemory},
    check::known_bad::CannotTell,
    check::scratch,
    node::bpffs::Bpffs,
    pod::cgroup,
    programs::{
        object,
        table::{self, URGENT},
    },
    sys,
};

/// One thing that is needed.
#[derive(Clone, Debug, Serialize)]
pub struct Feature {
    pub name: &'static str,
    /// The first Linux version that has it.
    pub since: &'static str,
    /// What happens without it.
    pub without: &'static str,
    /// Whether pods can be enrolled without it.
    pub optional: bool,
    pub answer: Answer,
}

/// Whether it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Yes,
    /// It was tried, and the kernel does not have it.
    No(String),
    /// It could not be tried.
    Unknown(String),
}

impl Answer {
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No(_) => "no",
            Self::Unknown(_) => "could not tell",
        }
    }

    /// What the trial ended with, unless it went well.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Yes => None,
            Self::No(why) | Self::Unknown(why) => Some(why),
        }
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.why() {
            None => serializer.serialize_str(self.word()),
            Some(why) => serializer.collect_str(&format_args!("{}: {why}", self.word())),
        }
    }
}

impl From<Result<()>> for Answer {
    /// What a lack of privilege or of memory prevented was not tried.
    fn from(tried: Result<()>) -> Self {
        let Err(error) = tried else { return Self::Yes };
        let untold = error.is::<CannotTell>() || error.is::<NoMemory>();
        // The verifier refuses with EACCES, the kernel's gatekeepers with EPERM.
        let forbidden = error.chain().any(|cause| {
            cause
                .downcast_ref::<io::Error>()
                .is_some_and(|cause| cause.raw_os_error() == Some(nix::libc::EPERM))
                || cause.downcast_ref() == Some(&nix::Error::EPERM)
        });
        let why = format!("{error:#}");
        if forbidden || untold { Self::Unknown(why) } else { Self::No(why) }
    }
}

const REFUSED: &str = "a pod cannot be enrolled";

/// Tries everything that is needed.
pub fn all(bpffs: &Path) -> Vec<Feature> {
    let feature = |name, since, without, tried: Result<()>| Feature {
        name,
        since,
        without,
        optional: false,
        answer: tried.into(),
    };
    let mut features = vec![
        feature(
            "bpffs",
            "4.4",
            "nothing would outlive the command; refused",
            Bpffs::open(bpffs).map(drop).map_err(Into::into),
        ),
        feature("cgroup2", "4.10", REFUSED, cgroup2()),
        feature("SO_NETNS_COOKIE", "5.14", "pods cannot be told apart; refused", netns_cookie()),
        feature(
            "membarrier",
            "4.3",
            "a pod cannot be switched or cleaned",
            sys::wait_for_programs().map_err(Into::into),
        ),
    ];
    features.extend(
        table::programs().map(|info| feature(info.name, info.since, REFUSED, object::load_unpinned([info]).map(drop))),
    );
    features.push(feature(
        "redirection",
        "5.18",
        "something above is there and does not work",
        redirection(),
    ));
    features.extend(acceleration());
    features
}

/// What this kernel lacks of what every pod needs.
pub(crate) fn missing(bpffs: &Path) -> Vec<Missing> {
    let lacking = |feature: &Feature| !feature.optional && matches!(feature.answer, Answer::No(_));
    let features = all(bpffs).into_iter().filter(lacking);
    features
        .map(|Feature { name, since, .. }| Missing { feature: name, since })
        .collect()
}

/// What `--accelerate` needs: the programs, a kernel that is not known to be bad at it, and one that turns out not to
/// be.
fn acceleration() -> impl Iterator<Item = Feature> {
    const REFUSED: &str = "--accelerate is refused";
    let feature = |name, since, without, tried: Result<()>| Feature {
        name,
        since,
        without,
        optional: true,
        answer: tried.into(),
    };
    let load = |info| object::load_unpinned([info]).map(drop);
    let programs = table::acceleration_programs().map(move |info| feature(info.name, info.since, REFUSED, load(info)));
    programs.chain([
        feature(
            URGENT.name,
            URGENT.since,
            "MSG_OOB on accelerated connections is ordinary data",
            load(URGENT),
        ),
        feature(
            "no known fault in socket maps",
            "by release",
            REFUSED,
            acceleration_trial::not_known_to_be_unsafe(),
        ),
        feature("acceleration", "by trying", REFUSED, acceleration_trial::try_it()),
    ])
}

fn cgroup2() -> Result<()> {
    ensure!(
        !cgroup::mounts()?.is_empty(),
        "no cgroup2 file system is mounted; `mount -t cgroup2 none DIR` mounts one"
    );
    Ok(())
}

fn netns_cookie() -> Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("Failed to make a socket")?;
    sys::netns_cookie(&socket).context("Failed to ask for the cookie")?;
    Ok(())
}

/// Intercepts a network namespace that exists for this purpose, and connects in it as the sidecar's user to the
/// sidecar's own pod, which must arrive at the inbound port with its destination known.
fn redirection() -> Result<()> {
    let trial = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).context("Failed to make a network namespace")?;
        sys::bring_loopback_up().context("Failed to bring the loopback interface up")?;
        let _attached = scratch::intercept_this_thread(None)?;
        connect_to_own_pod()
    });
    trial.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn connect_to_own_pod() -> Result<()> {
    const DIALED: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 6), 15002);
    const PATIENCE: Duration = Duration::from_secs(2);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 15006)).context("Failed to listen on port 15006")?;
    let mut client = TcpStream::connect_timeout(&DIALED.into(), PATIENCE)
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
    client.set_read_timeout(Some(PATIENCE)).context("Failed to set a time limit")?;
    ensure!(
        client.read(&mut [0]).context("Failed to see the connection end")? == 0,
        "the connection carried data that nobody sent"
    );
    Ok(())
}
