// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The numbers that this process's own network namespace has for others. The kernel names a namespace by such a number
//! when it tells of changes in it, and tells of none in a namespace without a number
//! ([`af_netlink.c`](https://github.com/torvalds/linux/blob/v6.12/net/netlink/af_netlink.c#L1429)).

use std::os::fd::AsRawFd as _;

use anyhow::{Context as _, Result};
use futures_util::StreamExt as _;
use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use rtnetlink::{
    Error, Handle,
    packet_route::{
        RouteNetlinkMessage,
        nsid::{NsidAttribute, NsidMessage},
    },
};

use crate::kernel::pod::{
    netlink::{existing_is_fine, talk_here},
    netns::Netns,
};

/// For a namespace that has none.
const NONE: i32 = -1;

/// The number of a namespace. Gives it one if it has none.
pub(crate) fn number(netns: &Netns) -> Result<i32> {
    let context = || format!("Failed to give {} a number (RTM_NEWNSID)", netns.name());
    talk_here(async |handle| {
        if let Some(number) = ask(&handle, netns).await? {
            return Ok(number);
        }
        existing_is_fine(give(&handle, netns).await).with_context(context)?;
        ask(&handle, netns).await?.with_context(context)
    })
}

/// `RTM_GETNSID`
async fn ask(handle: &Handle, netns: &Netns) -> Result<Option<i32>> {
    let question = RouteNetlinkMessage::GetNsId(message(netns, None)?);
    let answer = send(handle, question, NLM_F_REQUEST).await;
    let answer = answer.with_context(|| format!("Failed to ask for the number of {}", netns.name()))?;
    let Some(RouteNetlinkMessage::NewNsId(NsidMessage { attributes, .. })) = answer else {
        return Ok(None);
    };
    let number = attributes.iter().find_map(|attribute| match attribute {
        NsidAttribute::Id(number) => Some(*number),
        _ => None,
    });
    Ok(number.filter(|number| *number != NONE))
}

/// `RTM_NEWNSID`, with a number of the kernel's choice.
async fn give(handle: &Handle, netns: &Netns) -> Result<(), Error> {
    let message = message(netns, Some(NONE)).map_err(|_too_large| Error::RequestFailed)?;
    let request = RouteNetlinkMessage::NewNsId(message);
    send(handle, request, NLM_F_REQUEST | NLM_F_ACK).await.map(drop)
}

fn message(netns: &Netns, number: Option<i32>) -> Result<NsidMessage> {
    let mut message = NsidMessage::default();
    message.attributes.extend(number.map(NsidAttribute::Id));
    message.attributes.push(NsidAttribute::Fd(netns.file().as_raw_fd().try_into()?));
    Ok(message)
}

async fn send(handle: &Handle, message: RouteNetlinkMessage, flags: u16) -> Result<Option<RouteNetlinkMessage>, Error> {
    let mut message = NetlinkMessage::from(message);
    message.header.flags = flags;
    let mut answers = handle.clone().request(message)?;
    while let Some(answer) = answers.next().await {
        match answer.payload {
            NetlinkPayload::Error(error) if error.code.is_some() => return Err(Error::NetlinkError(error)),
            NetlinkPayload::InnerMessage(answer) => return Ok(Some(answer)),
            _ => {}
        }
    }
    Ok(None)
}
