// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who is injected. Two stages decide, one after the other.
//!
//! ```text
//! stage A, the API server:  labels of namespace and pod ──called──▶ the webhooks that are called; none: not injected
//! stage B, the injector:    the pod ──Policy::decide──▶ injected or not, and by which rule
//! ```
//!
//! A manifest that a command injects goes through stage B only. The API server sees labels and no annotations, so what
//! an annotation wants does not matter where no webhook is called.

mod manifest;
mod policy;
mod selector;
#[cfg(test)]
mod tests;
mod webhooks;

pub(crate) use self::manifest::selected;
pub use self::{
    policy::{ByDefault, Choice, IGNORED_NAMESPACES, Keys, Policy, Rule, Subject},
    selector::{Labels, Selector},
    webhooks::called,
};
