// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Work on the node. What changes it has a turn: one piece at a time, in the order of arrival. The kernel side has a
//! lock anyway; waiting here costs no thread, and can be given up. What changes nothing needs no turn.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use interceptor::EnrollError;
use tokio::{
    sync::{Mutex, Semaphore},
    task::spawn_blocking,
    time::{Instant, sleep_until},
};

use crate::{enrollments::Enrollments, peer::Peer};

/// How many requests are prepared at once. One that takes long keeps this place, and the others have the rest.
const PLACES: usize = 8;

/// Hands out turns.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    enrollments: Arc<Enrollments>,
    turn: Arc<Mutex<()>>,
    places: Arc<Semaphore>,
}

/// For how long somebody waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until<'a> {
    deadline: Instant,
    /// Who has to wait for it, if anybody has.
    peer: Option<Peer<'a>>,
}

/// Why there is no result.
#[derive(Debug)]
pub(crate) enum TurnError {
    /// The deadline passed before it was this work's turn. Nothing was done.
    Late,
    /// Whoever asked went before it was this work's turn. Nothing was done.
    Gone,
    Panicked,
}

impl Turns {
    pub(crate) fn new(enrollments: Enrollments) -> Self {
        Self {
            enrollments: Arc::new(enrollments),
            turn: Arc::default(),
            places: Arc::new(Semaphore::new(PLACES)),
        }
    }

    /// What changes when pods are enrolled or not any more.
    pub(crate) fn outline(&self) -> Result<(Option<u64>, SystemTime), EnrollError> {
        self.enrollments.outline()
    }

    /// Whether the programs of the node are kept loaded.
    pub(crate) fn is_kept(&self) -> Result<bool, EnrollError> {
        self.enrollments.node()?.is_kept()
    }

    /// Fails if no pod can be enrolled.
    pub(crate) fn try_node(&self) -> Result<(), EnrollError> {
        self.enrollments.node().map(drop)
    }

    /// Forgets what was noted of a sandbox that was to be enrolled, unless it is.
    pub(crate) fn give_up(&self, sandbox: &str) {
        self.enrollments.give_up(sandbox);
    }

    /// Does the work when it is its turn. Work that has begun is completed, also if nobody waits for it any more.
    pub(crate) async fn take<T: Send + 'static>(
        &self,
        until: impl Into<Until<'_>>,
        work: impl FnOnce(&Enrollments) -> T + Send + 'static,
    ) -> Result<T, TurnError> {
        let turn = until.into().wait(Arc::clone(&self.turn).lock_owned()).await?;
        self.run(turn, work).await
    }

    /// Does work of a request that changes nothing, beside what has its turn, and beside that of a few other requests.
    pub(crate) async fn prepare<T: Send + 'static>(
        &self,
        until: impl Into<Until<'_>>,
        work: impl FnOnce(&Enrollments) -> T + Send + 'static,
    ) -> Result<T, TurnError> {
        let place = until.into().wait(Arc::clone(&self.places).acquire_owned()).await?;
        self.run(place, work).await
    }

    /// Does work of this process's own that changes nothing. Each of its loops does one piece at a time.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Enrollments) -> T + Send + 'static,
    ) -> Result<T, TurnError> {
        self.run((), work).await
    }

    async fn run<T: Send + 'static>(
        &self,
        place: impl Send + 'static,
        work: impl FnOnce(&Enrollments) -> T + Send + 'static,
    ) -> Result<T, TurnError> {
        let enrollments = Arc::clone(&self.enrollments);
        let done = spawn_blocking(move || {
            let done = work(&enrollments);
            drop(place);
            done
        });
        done.await.map_err(|_panicked| TurnError::Panicked)
    }
}

impl<'a> Until<'a> {
    /// Until the peer goes, and no longer than this.
    pub(crate) fn gone(peer: Peer<'a>, patience: Duration) -> Self {
        Self { deadline: Instant::now() + patience, peer: Some(peer) }
    }

    async fn wait<T>(self, place: impl Future<Output = T>) -> Result<T, TurnError> {
        let gone = async {
            match self.peer {
                Some(peer) => peer.gone().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = gone => Err(TurnError::Gone),
            place = place => Ok(place),
            () = sleep_until(self.deadline) => Err(TurnError::Late),
        }
    }
}

impl From<Instant> for Until<'_> {
    fn from(deadline: Instant) -> Self {
        Self { deadline, peer: None }
    }
}

impl fmt::Display for TurnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Late => "The node agent of Interceptor is busy with other pods",
            Self::Gone => "The plugin did not wait until the node agent of Interceptor was done with other pods",
            Self::Panicked => "The node agent of Interceptor has a fault; its log says where",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex as BlockingMutex, mpsc};

    use interceptor::records::{Records, RunDirectory};
    use tempfile::TempDir;
    use tokio::{net::UnixStream, sync::oneshot};

    use super::*;
    use crate::{
        data_path::{Kernel, OnUnsupported},
        numbers::Numbers,
        rules::Rules,
    };

    const LONG: Duration = Duration::from_mins(5);

    /// Of a node that nobody looks at.
    fn turns() -> (Turns, TempDir) {
        let work = tempfile::tempdir().unwrap();
        let run_directory = RunDirectory::create(&work.path().join("run")).unwrap();
        let kernel = Arc::new(Kernel::new(work.path().to_path_buf(), OnUnsupported::Fail));
        let rules = Rules::new(Records::create(&run_directory).unwrap());
        let records = Records::create(&run_directory).unwrap();
        let enrollments = Enrollments::new(work.path(), records, rules, kernel, Arc::new(Numbers::default()));
        (Turns::new(enrollments), work)
    }

    fn later() -> Instant {
        Instant::now() + LONG
    }

    /// Work that has begun, and ends when it is told to.
    async fn busy(turns: &Turns, prepares: bool) -> mpsc::Sender<()> {
        let (begins, begun) = oneshot::channel();
        let (end, is_ended) = mpsc::channel();
        let work = move |_: &Enrollments| {
            begins.send(()).unwrap();
            is_ended.recv().unwrap_or_default();
        };
        let turns = turns.clone();
        tokio::spawn(async move {
            if prepares {
                turns.prepare(later(), work).await
            } else {
                turns.take(later(), work).await
            }
        });
        begun.await.unwrap();
        end
    }

    #[tokio::test]
    async fn turns_are_taken_in_the_order_of_arrival() {
        let (turns, _work) = turns();
        let first = busy(&turns, false).await;
        let order: Arc<BlockingMutex<Vec<u32>>> = Arc::default();
        let waiting = (0..20).map(|number| {
            let order = Arc::clone(&order);
            turns.take(later(), move |_| order.lock().unwrap().push(number))
        });
        let waiting = futures_util::future::join_all(waiting);
        let ((), done) = tokio::join!(async { drop(first) }, waiting);
        assert!(done.iter().all(Result::is_ok), "{done:?}");
        assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn who_prepares_or_looks_waits_for_no_turn() {
        let (turns, _work) = turns();
        let _first = busy(&turns, false).await;
        turns.prepare(later(), |_| ()).await.unwrap();
        turns.look(|_| ()).await.unwrap();
    }

    #[tokio::test]
    async fn who_takes_long_to_prepare_keeps_no_turn_and_leaves_places_to_others() {
        let (turns, _work) = turns();
        let mut slow = Vec::new();
        for _ in 1..PLACES {
            slow.push(busy(&turns, true).await);
        }
        turns.take(later(), |_| ()).await.unwrap();
        turns.prepare(later(), |_| ()).await.unwrap();
        slow.push(busy(&turns, true).await);
        let late = turns.prepare(Instant::now(), |_| ()).await;
        assert!(matches!(late, Err(TurnError::Late)), "their number is bounded: {late:?}");
    }

    #[tokio::test]
    async fn who_goes_while_waiting_gives_up_the_place_and_nothing_is_done() {
        let (turns, _work) = turns();
        let first = busy(&turns, false).await;
        let (peer, plugin) = UnixStream::pair().unwrap();
        let gone = turns.take(Until::gone(Peer::new(&peer), LONG), |_| panic!("nobody waits for it"));
        let ((), gone) = tokio::join!(async { drop(plugin) }, gone);
        assert!(matches!(gone, Err(TurnError::Gone)), "{gone:?}");
        drop(first);
        turns.take(later(), |_| ()).await.unwrap();
    }

    #[tokio::test]
    async fn who_waits_for_too_long_is_told() {
        let (turns, _work) = turns();
        let _first = busy(&turns, false).await;
        let (peer, _plugin) = UnixStream::pair().unwrap();
        let late = turns.take(Until::gone(Peer::new(&peer), Duration::ZERO), |_| ()).await;
        assert!(matches!(late, Err(TurnError::Late)), "{late:?}");
    }

    #[tokio::test]
    async fn work_that_has_begun_is_completed_although_nobody_waits() {
        let (turns, _work) = turns();
        let (peer, plugin) = UnixStream::pair().unwrap();
        let (begins, begun) = oneshot::channel();
        let (end, is_ended) = mpsc::channel::<()>();
        let (done, is_done) = oneshot::channel();
        let of_peer = turns.clone();
        tokio::spawn(async move {
            let work = move |_: &Enrollments| {
                begins.send(()).unwrap();
                is_ended.recv().unwrap_or_default();
                done.send(()).unwrap();
            };
            of_peer.take(Until::gone(Peer::new(&peer), LONG), work).await.unwrap();
        });
        begun.await.unwrap();
        drop(plugin);
        drop(end);
        is_done.await.unwrap();
        turns.take(later(), |_| ()).await.unwrap();
    }
}
