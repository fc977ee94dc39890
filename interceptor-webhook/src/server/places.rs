// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Places for requests whose bodies are on their way. They bound the memory that bodies take.

use std::{
    future::Future,
    net::IpAddr,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use tokio::sync::oneshot;

use super::fairness::gives_way;

/// A number of places. There is always one for the next request; for that, another request may lose its place.
pub(super) struct Places {
    most: usize,
    taken: Mutex<Taken>,
}

/// Those that are taken, in the order of time.
#[derive(Default)]
struct Taken {
    next: u64,
    list: Vec<(u64, IpAddr, oneshot::Sender<()>)>,
}

/// A place that is taken. As a future, it is done when the place is lost.
pub(super) struct Place<'a> {
    places: &'a Places,
    number: u64,
    lost: oneshot::Receiver<()>,
}

impl Places {
    pub(super) fn new(most: usize) -> Self {
        Self { most, taken: Mutex::default() }
    }

    pub(super) fn take(&self, peer: IpAddr) -> Place<'_> {
        let (keep, lost) = oneshot::channel();
        let mut taken = self.taken();
        let number = taken.next;
        taken.next += 1;
        taken.list.push((number, peer, keep));
        if taken.list.len() > self.most
            && let Some(index) = gives_way(taken.list.iter().map(|(_, peer, _)| *peer))
        {
            drop(taken.list.remove(index));
        }
        drop(taken);
        Place { places: self, number, lost }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Future for Place<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.lost).poll(context).map(drop)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.places.taken().list.retain(|(number, ..)| *number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn peer(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn the_greediest_loses_its_oldest_place_and_the_next_request_has_one() {
        let places = Places::new(3);
        let mut greedy: Vec<_> = (0..3).map(|_| places.take(peer(1))).collect();
        let mut modest = places.take(peer(2));
        let mut has_lost = |index: usize| (&mut greedy[index]).now_or_never().is_some();
        assert!(has_lost(0) && !has_lost(1) && !has_lost(2));
        let mut again = places.take(peer(1));
        assert!(has_lost(1) && (&mut modest).now_or_never().is_none() && (&mut again).now_or_never().is_none());
    }

    #[test]
    fn a_place_that_is_left_is_free() {
        let places = Places::new(1);
        drop(places.take(peer(1)));
        let mut place = places.take(peer(1));
        assert!((&mut place).now_or_never().is_none());
        assert_eq!(places.taken().list.len(), 1);
    }
}
