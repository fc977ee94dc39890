// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Changes of addresses, interfaces, routes and rules in other network namespaces, as the kernel tells them. One socket
//! in this process's own namespace hears of all namespaces that have a number there, so no namespace is kept alive.

use std::{
    collections::BTreeSet,
    io::{self, IoSliceMut},
    mem,
    os::fd::AsRawFd as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::{
    cmsg_space,
    errno::Errno,
    libc::{NETLINK_LISTEN_ALL_NSID, SOL_NETLINK},
    sys::socket::{ControlMessageOwned, MsgFlags, NetlinkAddr, recvmsg, setsockopt, sockopt},
};
use tokio::sync::Notify;

/// `RTNLGRP_LINK`, `RTNLGRP_IPV4_IFADDR`, `RTNLGRP_IPV4_ROUTE`, `RTNLGRP_IPV4_RULE`, `RTNLGRP_IPV6_IFADDR`,
/// `RTNLGRP_IPV6_ROUTE` and `RTNLGRP_IPV6_RULE`
/// ([`rtnetlink.h`](https://github.com/torvalds/linux/blob/v6.12/include/uapi/linux/rtnetlink.h#L702)).
const GROUPS: [u32; 7] = [1, 5, 7, 8, 9, 11, 19];
/// How many bytes of messages may wait. What does not fit is lost, and the kernel says so.
const QUEUE: usize = 1 << 20;
/// Enough to tell a message from none: what it says is read from the namespace itself.
const PART: usize = 32;

/// Hears of changes.
pub(super) struct Changes(Arc<Shared>);

/// What was heard.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// The numbers of the namespaces in which something has changed.
    pub(super) numbers: BTreeSet<i32>,
    /// There was more, and it was lost.
    pub(super) lost: bool,
    /// Nothing will be heard any more, and why.
    pub(super) ended: Option<Errno>,
}

/// Between the thread that listens and whoever waits. It holds no more than one number for each namespace.
#[derive(Default)]
struct Shared {
    heard: Mutex<Heard>,
    news: Notify,
}

impl Changes {
    /// Needs `CAP_NET_BROADCAST` in the user namespace that owns this network namespace. The thread that listens lives
    /// as long as this process.
    pub(super) fn listen() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        socket.set_listen_all_namespaces(true)?;
        if let Err(error) = setsockopt(&socket, sockopt::RcvBufForce, &QUEUE) {
            tracing::debug!("the queue of changes has the kernel's default size: {error}");
        }
        for group in GROUPS {
            socket.add_membership(group)?;
        }
        let shared = Arc::new(Shared::default());
        let listener = Arc::clone(&shared);
        let thread = thread::Builder::new().name("changes".to_owned());
        thread.spawn(move || while listener.note(receive(&socket)) {})?;
        Ok(Self(shared))
    }

    /// Waits for changes in other namespaces. If it is given up, nothing is lost.
    pub(super) async fn next(&self) -> Heard {
        loop {
            let heard = mem::take(&mut *self.0.lock());
            if heard != Heard::default() {
                return heard;
            }
            self.0.news.notified().await;
        }
    }
}

impl Shared {
    /// Returns whether more can be received.
    fn note(&self, received: nix::Result<Option<i32>>) -> bool {
        let mut heard = self.lock();
        match received {
            Ok(None) | Err(Errno::EINTR) => return true, // of this namespace
            Ok(Some(number)) => {
                heard.numbers.insert(number);
            }
            Err(Errno::ENOBUFS) => heard.lost = true,
            Err(errno) => heard.ended = Some(errno),
        }
        let goes_on = heard.ended.is_none();
        drop(heard);
        self.news.notify_one();
        goes_on
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for a message. Returns the number of the namespace that it is of; `None` for this process's own.
fn receive(socket: &Socket) -> nix::Result<Option<i32>> {
    let mut part = [0; PART];
    let mut control = cmsg_space!(i32);
    let mut parts = [IoSliceMut::new(&mut part)];
    let flags = MsgFlags::empty();
    let message = recvmsg::<NetlinkAddr>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
    if message.address.is_none_or(|sender| sender.pid() != 0) {
        return Ok(None); // not the kernel
    }
    let number = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::Unknown(control)
            if (control.cmsg_header.cmsg_level, control.cmsg_header.cmsg_type)
                == (SOL_NETLINK, NETLINK_LISTEN_ALL_NSID) =>
        {
            let number = control.data_bytes.first_chunk()?;
            Some(i32::from_ne_bytes(*number))
        }
        _ => None,
    });
    Ok(number)
}
