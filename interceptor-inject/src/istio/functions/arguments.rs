// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What functions take and answer. A wrong argument is an error that names function and argument.

use gtmpl_ng::{FuncError, Value as Go};

use crate::istio::go;

pub(super) type Answer = Result<Go, FuncError>;

/// The arguments of a function that takes just as many.
pub(super) fn exactly<'a, const N: usize>(name: &str, arguments: &'a [Go]) -> Result<&'a [Go; N], FuncError> {
    arguments
        .try_into()
        .map_err(|_other_count| FuncError::ExactlyXArgs(name.to_owned(), N))
}

/// An argument that has to be a string.
pub(super) fn text<'a>(name: &str, argument: &'a Go) -> Result<&'a str, FuncError> {
    match argument {
        Go::String(text) => Ok(text),
        other => Err(fault(format!("{name}: {} is not a string", go::sprint(other)))),
    }
}

/// An argument that has to be a whole number that is not negative.
pub(super) fn count(name: &str, argument: &Go) -> Result<usize, FuncError> {
    let count = match argument {
        Go::Number(number) => number.as_u64().and_then(|number| usize::try_from(number).ok()),
        _ => None,
    };
    count.ok_or_else(|| fault(format!("{name}: {} is no count", go::sprint(argument))))
}

/// Refuses a result of so many bytes before it is made.
pub(super) fn bounded(name: &str, bytes: usize) -> Result<(), FuncError> {
    let limit = gtmpl_ng::limits::active().function_output.unwrap_or(usize::MAX);
    if bytes <= limit {
        return Ok(());
    }
    Err(fault(format!(
        "{name}: {bytes} bytes are more than the {limit} that a function may make"
    )))
}

pub(super) fn fault(message: String) -> FuncError {
    FuncError::Generic(message)
}
