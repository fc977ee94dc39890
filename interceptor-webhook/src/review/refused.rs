// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is no review.

use std::fmt;

use super::values;

/// Why a body is no review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is nothing in it.
    Empty,
    /// It is no `AdmissionReview` of a known version. The text says why.
    NoReview(String),
    /// It has more values than any pod.
    TooManyValues,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no body found; send an AdmissionReview"),
            Self::NoReview(why) => write!(f, "this is no AdmissionReview: {why}"),
            Self::TooManyValues => write!(f, "more than {} values are in the body", values::MOST),
        }
    }
}
