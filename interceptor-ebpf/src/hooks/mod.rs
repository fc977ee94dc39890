// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One file for each family of hooks: it reads the context, asks the rules, carries the verdict out and counts it. No
//! hook calls another; what hooks share lies beside this folder.

pub(crate) mod bind;
pub(crate) mod connect;
pub(crate) mod dns;
pub(crate) mod guard;
pub(crate) mod listen;
pub(crate) mod original_dst;
pub(crate) mod sk_lookup;
pub(crate) mod sock_create;
pub(crate) mod sockname;
