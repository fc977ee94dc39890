// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How many values a text of JSON has, before memory is spent on them: a value of two bytes takes hundreds when it is
//! read.

/// Values in a body. A pod of 25 KB has a thousand.
pub(super) const MOST: usize = 100_000;

/// Whether there are at most [`MOST`] values. What is no JSON is counted as if it were.
pub(super) fn are_few(body: &[u8]) -> bool {
    let (mut values, mut is_in_string, mut is_escaped) = (1, false, false);
    for byte in body {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_in_string,
            b'"' => is_in_string = !is_in_string,
            b',' | b'[' | b'{' if !is_in_string => values += 1,
            _ => {}
        }
    }
    values <= MOST
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::many("[0,", "0", ",0]", MOST, false)]
    #[case::in_a_string("[\"", ",[{", "\"]", MOST, true)]
    #[case::after_an_escaped_quote("[\"\\\"", ",", "\"]", MOST, true)]
    #[case::after_an_escaped_backslash("[\"\\\\\"", ",[", "]", MOST, false)]
    #[case::few("[", "0", "]", 10, true)]
    fn what_is_in_strings_is_not_counted(
        #[case] before: &str,
        #[case] middle: &str,
        #[case] after: &str,
        #[case] times: usize,
        #[case] few: bool,
    ) {
        let separator = if middle == "0" { "," } else { "" };
        let body = format!("{before}{}{after}", vec![middle; times].join(separator));
        assert_eq!(are_few(body.as_bytes()), few);
    }
}
