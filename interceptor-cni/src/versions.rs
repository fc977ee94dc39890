// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The versions of CNI that the plugin speaks.

use crate::error::{CniError, code};

/// Oldest first.
const ALL: [&str; 7] = [OLDEST, "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", NEWEST];

/// What a configuration without `cniVersion` is written in.
pub(crate) const OLDEST: &str = "0.1.0";

pub(crate) const NEWEST: &str = "1.1.0";

pub(crate) fn is_supported(version: &str) -> bool {
    ALL.contains(&version)
}

/// What `VERSION` prints.
pub(crate) fn supported(asked: &str) -> String {
    let own = if is_supported(asked) { asked } else { NEWEST };
    serde_json::json!({ "cniVersion": own, "supportedVersions": ALL }).to_string()
}

/// Fails if `verb` came with a later version than the configuration's.
pub(crate) fn require(verb: &str, since: &str, version: &str) -> Result<(), CniError> {
    let place = |version: &str| ALL.iter().position(|known| *known == version);
    if place(version) >= place(since) {
        return Ok(());
    }
    Err(CniError::new(
        code::INCOMPATIBLE_VERSION,
        format!(
            "{verb} is a verb since CNI {since}, and the configuration's cniVersion is {version}; raise cniVersion"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verb_needs_the_version_that_brought_it() {
        assert_eq!(require("CHECK", "0.4.0", "0.4.0"), Ok(()));
        assert_eq!(require("CHECK", "0.4.0", "1.1.0"), Ok(()));
        assert_eq!(require("CHECK", "0.4.0", "0.3.1").unwrap_err().code, code::INCOMPATIBLE_VERSION);
        assert_eq!(
            require("STATUS", "1.1.0", "1.0.0").unwrap_err().code,
            code::INCOMPATIBLE_VERSION
        );
    }

    #[test]
    fn the_answer_to_version_repeats_the_version_that_was_asked() {
        let list = r#""supportedVersions":["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]"#;
        assert_eq!(supported("0.4.0"), format!(r#"{{"cniVersion":"0.4.0",{list}}}"#));
        assert_eq!(supported("7.0.0"), format!(r#"{{"cniVersion":"1.1.0",{list}}}"#));
    }
}
