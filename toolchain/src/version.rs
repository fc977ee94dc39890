// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Compares versions of tools. Knows only the first two numbers of a version.

/// The first two numbers of a version: `1.95` and `1.95.0` are both (1, 95). A text that is no version comes before
/// every version.
pub fn version(text: &str) -> (u32, u32) {
    let mut numbers = text.split('.').map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_are_compared_by_number() {
        assert_eq!(version("1.95"), version("1.95.0"));
        assert!(version("0.9.0") < version("0.13.0"));
        assert!(version("nightly") < version("0.1"));
    }
}
