// SPDX-License-Identifier: Apache-2.0 OR MIT
//! User and group IDs as a pod's user namespace numbers them, and as the kernel programs see them. The caller reads
//! the files.

use crate::values::NumberRange;

/// How a user namespace maps its IDs to IDs of the initial user namespace, which the kernel programs see
/// ([user_namespaces(7)](https://man7.org/linux/man-pages/man7/user_namespaces.7.html)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdMaps {
    pub users: IdMap,
    pub groups: IdMap,
}

/// The mapping of users, or of groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdMap(Vec<Extent>);

/// `count` IDs from `inside` on are the IDs from `outside` on in the initial namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extent {
    inside: u32,
    outside: u32,
    /// Not zero.
    count: u32,
}

impl Default for IdMaps {
    /// Of a pod in the initial user namespace.
    fn default() -> Self {
        Self { users: IdMap::identity(), groups: IdMap::identity() }
    }
}

impl IdMap {
    fn identity() -> Self {
        Self(vec![Extent { inside: 0, outside: 0, count: u32::MAX }])
    }

    /// Reads the text of `/proc/<pid>/uid_map` or `gid_map`, as the initial user namespace sees it. `None` if the
    /// text is not well-formed.
    pub fn parse(text: &str) -> Option<Self> {
        let extents: Option<Vec<Extent>> = text
            .lines()
            .map(|line| {
                let mut fields = line.split_whitespace().map(|field| field.parse().ok());
                let (inside, outside, count): (u32, u32, u32) = (fields.next()??, fields.next()??, fields.next()??);
                let last = count.checked_sub(1)?;
                inside.checked_add(last)?;
                outside.checked_add(last)?;
                fields.next().is_none().then_some(Extent { inside, outside, count })
            })
            .collect();
        extents.map(Self)
    }

    /// The same IDs in the initial namespace. `None` if some of them are not mapped.
    pub fn outside(&self, ids: NumberRange) -> Option<Vec<NumberRange>> {
        let mut found = Vec::new();
        let mut next = ids.first;
        loop {
            let Extent { inside, outside, count } = *self
                .0
                .iter()
                .find(|extent| next >= extent.inside && next - extent.inside < extent.count)?;
            let last = ids.last.min(inside + (count - 1));
            found.push(NumberRange { first: outside + (next - inside), last: outside + (last - inside) });
            if last == ids.last {
                return Some(found);
            }
            next = last + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const MAP: &str = "         0     100000      65536\n     65536       1000          1\n";

    #[rstest]
    #[case::one((1337, 1337), &[(101_337, 101_337)])]
    #[case::a_range((1000, 2000), &[(101_000, 102_000)])]
    #[case::over_two_extents((65_535, 65_536), &[(165_535, 165_535), (1000, 1000)])]
    #[case::not_mapped((65_537, 65_537), &[])]
    #[case::half_mapped((65_536, 65_537), &[])]
    fn ids_are_translated(#[case] (first, last): (u32, u32), #[case] outside: &[(u32, u32)]) {
        let ranges: Vec<_> = outside
            .iter()
            .map(|(first, last)| NumberRange { first: *first, last: *last })
            .collect();
        let expected = Some(ranges).filter(|ranges| !ranges.is_empty());
        assert_eq!(IdMap::parse(MAP).unwrap().outside(NumberRange { first, last }), expected);
    }

    #[test]
    fn the_initial_namespace_maps_every_id_to_itself() {
        let all = NumberRange { first: 0, last: u32::MAX - 1 };
        assert_eq!(IdMap::identity().outside(all), Some(vec![all]));
        assert_eq!(IdMap::parse("         0          0 4294967295\n"), Some(IdMap::identity()));
    }

    #[rstest]
    #[case("0 100000")]
    #[case("0 100000 0")]
    #[case("0 100000 1 1")]
    #[case("a b c")]
    #[case::ids_that_do_not_exist("4294967295 0 2")]
    #[case::ids_that_do_not_exist_outside("0 4294967295 2")]
    fn other_texts_are_refused(#[case] text: &str) {
        assert_eq!(IdMap::parse(text), None);
    }
}
