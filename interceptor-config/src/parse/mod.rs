// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The values of settings as Istio and iptables read them. Istio hands its lists on unread, so whatever iptables
//! takes is in use: ranges and names too. Nothing here knows where a text comes from.
//!
//! There are two differences, and both refuse more: numbers with leading zeros or `0x`, which iptables takes for
//! octal and hexadecimal, and IDs whose range runs backwards, which iptables takes for a range without members.

mod budget;
mod cidr;
mod ids;
mod interface;
mod list;
mod ports;
mod range;

pub(crate) use budget::{BUDGET, budget};
pub(crate) use cidr::{cidr, cidrs, cidrs_or_all};
pub(crate) use ids::{groups, groups_or_all, users};
pub(crate) use interface::fits_an_interface;
pub(crate) use list::split;
pub(crate) use ports::{one_port, ports, ports_or_all};
