// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Work on the node, one piece at a time and in the order of arrival. The kernel side has a lock anyway; waiting here
//! costs no thread, and can be given up.

use std::{fmt, sync::Arc, time::SystemTime};

use interceptor::EnrollError;
use tokio::{
    sync::Mutex,
    task::spawn_blocking,
    time::{Instant, timeout_at},
};

use crate::enrollments::Enrollments;

/// Hands out turns.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    enrollments: Arc<Enrollments>,
    turn: Arc<Mutex<()>>,
}

/// Why there is no result.
#[derive(Debug)]
pub(crate) enum TurnError {
    /// The deadline passed before it was this work's turn. Nothing was done.
    Late,
    Panicked,
}

impl Turns {
    pub(crate) fn new(enrollments: Enrollments) -> Self {
        Self { enrollments: Arc::new(enrollments), turn: Arc::default() }
    }

    /// What changes when pods are enrolled or not any more. It takes no turn, because it only reads.
    pub(crate) fn outline(&self) -> Result<(Option<u64>, SystemTime), EnrollError> {
        self.enrollments.outline()
    }

    /// Does the work when it is its turn. Work that has begun is completed, also if nobody waits for it any more.
    pub(crate) async fn take<T: Send + 'static>(
        &self,
        deadline: Instant,
        work: impl FnOnce(&Enrollments) -> T + Send + 'static,
    ) -> Result<T, TurnError> {
        let turn = timeout_at(deadline, Arc::clone(&self.turn).lock_owned()).await;
        let turn = turn.map_err(|_elapsed| TurnError::Late)?;
        let enrollments = Arc::clone(&self.enrollments);
        let done = spawn_blocking(move || {
            let done = work(&enrollments);
            drop(turn);
            done
        });
        done.await.map_err(|_panicked| TurnError::Panicked)
    }
}

impl fmt::Display for TurnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Late => "The node agent of Interceptor is busy with other pods",
            Self::Panicked => "The node agent of Interceptor has a fault; its log says where",
        })
    }
}
