// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keeps the CNI plugin on the node while the agent runs, and says how it stands.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::park_timeout,
    time::{Duration, Instant},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

use crate::install::{Change, Conflicts, InstallError, Installation, Keeper, Step, Watch};

/// After an error, if no directory changes before.
const PAUSE: Duration = Duration::from_secs(5);

/// Keeps the plugin on the node. Clones share it.
#[derive(Clone)]
pub(crate) struct Installer {
    net_dir: PathBuf,
    /// Where the program comes from, and where it goes.
    programs: [PathBuf; 2],
    /// `None` once the plugin shall no longer be kept.
    keeper: Arc<Mutex<Option<Keeper>>>,
    state: Arc<Mutex<State>>,
}

/// What the last look found, and what was done so far. It is apart from the keeper, which holds its lock as long as
/// the file system takes.
#[derive(Default)]
struct State {
    standing: Standing,
    conflicts: Conflicts,
    results: [u64; Attempt::ALL.len()],
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Standing {
    #[default]
    NotYet,
    InForce,
    /// Why it is not.
    Missing(String),
}

/// How an attempt to put the plugin on the node ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    Success,
    NoProgram,
    NoEntry,
}

impl Attempt {
    const ALL: [Self; 3] = [Self::Success, Self::NoProgram, Self::NoEntry];

    /// As Istio's metric calls it
    /// ([`monitoring.go`](https://github.com/istio/istio/blob/1.27.0/cni/pkg/install/monitoring.go)).
    const fn label(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::NoProgram => "COPY_BINARIES_FAILURE",
            Self::NoEntry => "CREATE_CNI_CONFIG_FAILURE",
        }
    }
}

impl Installer {
    pub(crate) fn new(installation: Installation) -> Self {
        Self {
            net_dir: installation.net_dir.clone(),
            programs: [installation.binary.clone(), installation.bin_dir.clone()],
            keeper: Arc::new(Mutex::new(Some(Keeper::new(installation)))),
            state: Arc::default(),
        }
    }

    /// Puts the plugin on the node, and puts it back whenever it is gone, until [`Self::end`]. It blocks.
    pub(crate) fn keep(&self) {
        let [_binary, bin_dir] = &self.programs;
        while self.is_kept() {
            // Before the first look, so that no change is missed.
            match Watch::new(&[&self.net_dir, bin_dir]) {
                Ok(watch) => self.follow(&watch),
                Err(error) => {
                    self.failed(&error);
                    park_timeout(PAUSE);
                }
            }
        }
    }

    /// Ends the keeping. A look that runs is completed before. `None` if it was ended already.
    pub(crate) fn end(&self) -> Option<Installation> {
        let keeper = lock(&self.keeper).take();
        keeper.map(|keeper| keeper.installation().clone())
    }

    /// Why no pod can be intercepted yet, if that is so.
    pub(crate) fn obstacle(&self) -> Option<String> {
        let state = lock(&self.state);
        match &state.standing {
            Standing::NotYet => Some("the CNI plugin is not on the node yet".to_owned()),
            Standing::Missing(why) => Some(why.clone()),
            Standing::InForce => state.conflicts.is_ongoing(Instant::now()).then(|| FIGHT.to_owned()),
        }
    }

    fn is_kept(&self) -> bool {
        lock(&self.keeper).is_some()
    }

    /// Looks after each change, until a directory is gone.
    fn follow(&self, watch: &Watch) {
        while self.is_kept() {
            let due = self.look(Instant::now());
            let at_most = due.map_or(Duration::MAX, |due| due.saturating_duration_since(Instant::now()));
            match watch.wait(at_most) {
                Ok(Some(Change::Directory)) => {
                    tracing::warn!(
                        "a directory of the CNI plugin was made anew; restart the container runtime if it does not \
                         notice"
                    );
                    return;
                }
                Ok(Some(Change::File) | None) => {}
                Err(error) => {
                    tracing::warn!("Failed to follow the directories of the CNI plugin, trying again: {error}");
                    park_timeout(PAUSE);
                    return;
                }
            }
        }
    }

    /// Returns when to look again, if nothing changes before. It blocks.
    fn look(&self, now: Instant) -> Option<Instant> {
        let mut keeper = lock(&self.keeper);
        let keeper = keeper.as_mut()?;
        let step = keeper.look(now);
        lock(&self.state).conflicts = keeper.conflicts().clone();
        match step {
            Ok(Step::InForce { .. }) => {
                self.stands(Standing::InForce);
                None
            }
            Ok(Step::Repaired { file }) => {
                tracing::info!(file = %file.display(), "put the CNI plugin on the node");
                self.ended(Attempt::Success, Standing::InForce);
                None
            }
            Ok(Step::Later { at }) => {
                self.missing(FIGHT);
                Some(at)
            }
            Ok(Step::NoList { why }) => {
                let why = if why.is_empty() { String::new() } else { format!(": {}", why.join("; ")) };
                let directory = self.net_dir.display();
                self.missing(&format!("no network of pods is in {directory} yet{why}"));
                None
            }
            Err(error) => {
                self.failed(&error);
                Some(now + PAUSE)
            }
        }
    }

    fn failed(&self, error: &InstallError) {
        let concerns_program = |path: &Path| self.programs.iter().any(|program| path.starts_with(program));
        let attempt = if error.path().is_some_and(concerns_program) {
            Attempt::NoProgram
        } else {
            Attempt::NoEntry
        };
        let why = format!("the CNI plugin cannot be put on the node: {error}");
        lock(&self.state).results[attempt as usize] += 1;
        self.missing(&why);
    }

    fn ended(&self, attempt: Attempt, standing: Standing) {
        lock(&self.state).results[attempt as usize] += 1;
        self.stands(standing);
    }

    /// Logs each reason once.
    fn missing(&self, why: &str) {
        let missing = Standing::Missing(why.to_owned());
        if lock(&self.state).standing != missing {
            tracing::warn!("{why}");
        }
        self.stands(missing);
    }

    fn stands(&self, standing: Standing) {
        lock(&self.state).standing = standing;
    }
}

/// Cilium does that unless it is told not to
/// ([`cni.exclusive`](https://docs.cilium.io/en/stable/network/servicemesh/istio/)).
const FIGHT: &str = "another program takes the CNI plugin out of its list again and again; with Cilium, set \
                     cni.exclusive=false";

impl Collector for Installer {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let is_ready = self.obstacle().is_none();
        let counted = {
            let state = lock(&self.state);
            Counted { results: state.results, conflicts: state.conflicts.total() }
        };
        counted.encode(&mut encoder, is_ready)
    }
}

/// What an installer has counted.
#[derive(Default)]
pub(crate) struct Counted {
    results: [u64; Attempt::ALL.len()],
    conflicts: u64,
}

impl Counted {
    pub(crate) fn encode(&self, encoder: &mut DescriptorEncoder<'_>, is_ready: bool) -> fmt::Result {
        let Self { results, conflicts } = self;
        let counter = ConstCounter::new(0_u64).metric_type();
        let help = "Attempts to put the CNI plugin on the node, by result";
        let mut family = encoder.encode_descriptor("istio_cni_installs", help, None, counter)?;
        for attempt in Attempt::ALL {
            let labels = [("result", attempt.label())];
            ConstCounter::new(results[attempt as usize]).encode(family.encode_family(&labels)?)?;
        }
        let gauge = ConstGauge::new(i64::from(is_ready));
        let help = "Whether the CNI plugin is on the node";
        let kind = gauge.metric_type();
        gauge.encode(encoder.encode_descriptor("istio_cni_install_ready", help, None, kind)?)?;
        let help = "How often the CNI plugin waited before it was put back, because another program takes it out again";
        let family = encoder.encode_descriptor("interceptor_install_conflicts", help, None, counter)?;
        ConstCounter::new(*conflicts).encode(family)
    }
}

impl fmt::Debug for Installer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Installer")
            .field("net_dir", &self.net_dir)
            .finish_non_exhaustive()
    }
}

/// What is behind the lock is right after a panic too.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
