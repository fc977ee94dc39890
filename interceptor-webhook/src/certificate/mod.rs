// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The certificate by which the API server knows this webhook: from files, or made here and kept in a Secret. It is
//! replaced while the webhook serves.

mod bundle;
mod files;
mod keeper;
mod kept;
mod pair;
mod secret;
mod shown;

pub(crate) use self::{
    bundle::DOMAIN,
    files::{Files, read_any},
    keeper::{Keeper, Place},
    shown::Shown,
};
