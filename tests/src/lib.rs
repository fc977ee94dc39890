// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The differential test as a library: the same flows under iptables and under this program, and what differs.
//! The other suites are test targets of their own; what they share is in `testkit`.

pub mod differential;
