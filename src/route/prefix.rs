//! Which prefixes a number begins with: one step per digit, however many prefixes there are.
//!
//! Built once and never changed, so the nodes lie in one piece: 12 bytes each, the children of a
//! node side by side, found by counting bits. It knows digits and ids, and nothing of routes.

use std::ops::Range;

/// Stands for no node and no end.
const NONE: u32 = u32::MAX;

/// The ids of prefixes.
#[derive(Debug)]
pub(super) struct PrefixTable {
    nodes: Vec<Node>,
    ends: Vec<End>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    /// The child with the least digit; the others follow it.
    first_child: u32,
    /// What ends here, in `ends`.
    end: u32,
    /// A bit for each digit that has a child.
    present: u16,
}

/// A prefix that ends at a node.
#[derive(Clone, Copy, Debug)]
struct End {
    id: u32,
    /// The next shorter prefix of the same number, in `ends`.
    shorter: u32,
    length: u8,
}

/// A part of the sorted prefixes that share their first `depth` digits, and become one node.
struct Share {
    range: Range<usize>,
    depth: usize,
    shorter: u32,
}

impl PrefixTable {
    /// The table of these prefixes, decimal digits each, no two alike.
    pub(super) fn new(mut prefixes: Vec<(Vec<u8>, u32)>) -> Self {
        prefixes.sort_unstable();
        let mut table = Self {
            nodes: Vec::new(),
            ends: Vec::new(),
        };
        let mut shares = vec![Share {
            range: 0..prefixes.len(),
            depth: 0,
            shorter: NONE,
        }];
        let mut at = 0;
        while let Some(share) = shares.get(at) {
            let (node, children) = table.node(share, &prefixes, shares.len());
            table.nodes.push(node);
            shares.extend(children);
            at += 1;
        }
        table
    }

    /// The node of a share, and the shares of its children, of which the first will be the node
    /// with the number `first_child`.
    fn node(
        &mut self,
        share: &Share,
        prefixes: &[(Vec<u8>, u32)],
        first_child: usize,
    ) -> (Node, Vec<Share>) {
        let mut rest = share.range.clone();
        let mut node = Node {
            first_child: first_child as u32,
            end: NONE,
            present: 0,
        };
        let mut shorter = share.shorter;
        // In the sorted order, the prefix that ends here stands before those that go on.
        if let Some((digits, id)) = prefixes[rest.clone()].first()
            && digits.len() == share.depth
        {
            node.end = self.ends.len() as u32;
            self.ends.push(End {
                id: *id,
                shorter,
                length: share.depth as u8,
            });
            shorter = node.end;
            rest.start += 1;
        }
        let mut children = Vec::new();
        while let Some((digits, _)) = prefixes[rest.clone()].first() {
            let digit = digits[share.depth];
            let alike = |(other, _): &(Vec<u8>, u32)| other[share.depth] == digit;
            let end = rest.start + prefixes[rest.clone()].partition_point(alike);
            node.present |= bit(usize::from(digit - b'0'));
            children.push(Share {
                range: rest.start..end,
                depth: share.depth + 1,
                shorter,
            });
            rest.start = end;
        }
        (node, children)
    }

    /// The prefixes of a number, the longest first: the length of each, and its id.
    pub(super) fn of(&self, number: &[u8]) -> impl Iterator<Item = (u8, u32)> {
        let longest = self.longest(number);
        std::iter::successors(longest, |end| self.ends.get(end.shorter as usize))
            .map(|end| (end.length, end.id))
    }

    fn longest(&self, number: &[u8]) -> Option<&End> {
        let mut node = self.nodes.first()?;
        let mut found = node.end;
        for digit in digits(number) {
            if node.present & bit(digit) == 0 {
                break;
            }
            let before = (node.present & (bit(digit) - 1)).count_ones();
            node = &self.nodes[(node.first_child + before) as usize];
            if node.end != NONE {
                found = node.end;
            }
        }
        self.ends.get(found as usize)
    }

    /// How many bytes it takes.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        size_of_val(&*self.nodes) + size_of_val(&*self.ends)
    }
}

impl Default for PrefixTable {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

fn bit(digit: usize) -> u16 {
    1 << digit
}

/// The leading digits of a number, without the `+` of the international form.
pub(super) fn digits(number: &[u8]) -> impl Iterator<Item = usize> {
    number
        .strip_prefix(b"+")
        .unwrap_or(number)
        .iter()
        .map_while(|byte| byte.is_ascii_digit().then(|| usize::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn table(prefixes: &[&str]) -> PrefixTable {
        let numbered = prefixes.iter().zip(0..);
        PrefixTable::new(
            numbered
                .map(|(p, id)| (p.as_bytes().to_vec(), id))
                .collect(),
        )
    }

    #[test]
    fn the_longest_prefix_comes_first_and_each_shorter_one_after_it() {
        let table = table(&["84", "8498", "", "12", "84981"]);
        let of = |number: &str| table.of(number.as_bytes()).collect::<Vec<_>>();
        assert_eq!(of("84981234567"), [(5, 4), (4, 1), (2, 0), (0, 2)]);
        assert_eq!(of("+84901234567"), [(2, 0), (0, 2)]);
        assert_eq!(of("VnMart"), [(0, 2)]);
    }

    #[test]
    fn an_empty_table_matches_nothing() {
        assert_eq!(PrefixTable::default().of(b"84981234567").next(), None);
    }

    #[test]
    fn a_hundred_thousand_prefixes_take_a_few_megabytes() {
        let digits = |n: u64| format!("84{:07}", n * 2_654_435_761 % 10_000_000);
        let unique: BTreeSet<String> = (0..100_000).map(digits).collect();
        let unique: Vec<&str> = unique.iter().map(String::as_str).collect();
        assert!(unique.len() > 99_000);
        let bytes = table(&unique).bytes();
        assert!(bytes < 8 << 20, "{bytes} bytes");
    }

    proptest! {
        #[test]
        fn it_finds_what_a_scan_finds(
            prefixes in prop::collection::btree_set("[0-3]{0,5}", 0..60),
            numbers in prop::collection::vec("[+]?[0-3]{0,7}[a-z]?", 1..40),
        ) {
            let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
            let table = table(&prefixes);
            for number in numbers {
                let plain = number.strip_prefix('+').unwrap_or(&number);
                let mut scan: Vec<(u8, u32)> = prefixes
                    .iter()
                    .zip(0..)
                    .filter(|(prefix, _)| plain.starts_with(**prefix))
                    .map(|(prefix, id)| (prefix.len() as u8, id))
                    .collect();
                scan.sort_by(|a, b| b.cmp(a));
                prop_assert_eq!(table.of(number.as_bytes()).collect::<Vec<_>>(), scan);
            }
        }
    }
}
