//! The known key that a misspelled one was probably meant to be.

/// No known key is longer; what is longer still is no misspelling of one.
const KEY_LENGTH_MAX: usize = 64;

/// The known name nearest to the given one, if it is near at all: a third of its letters may differ, or
/// the unit at the end be forgotten.
pub(super) fn nearest<'k>(given: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    if given.len() > KEY_LENGTH_MAX {
        return None;
    }
    known
        .filter_map(|name| {
            let without_unit = name
                .strip_prefix(given)
                .is_some_and(|rest| rest.starts_with('_'));
            let distance = if without_unit {
                0
            } else {
                distance(given, name)
            };
            (distance <= name.len().div_ceil(3)).then_some((distance, name))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many letters have to be inserted, removed or replaced to make one word of the other.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (removed, a) in from.chars().enumerate() {
        let mut left = removed + 1;
        let mut diagonal = removed;
        let mut next = vec![left];
        for (b, above) in to.chars().zip(row.iter().skip(1)) {
            left = (left + 1)
                .min(above + 1)
                .min(diagonal + usize::from(a != b));
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(given: &str) -> Option<&'static str> {
        let known = ["window", "queue_max", "response_timeout_ms", "binds"];
        nearest(given, known.into_iter())
    }

    #[test]
    fn a_misspelling_finds_the_nearest_name() {
        assert_eq!(hint("windw"), Some("window"));
        assert_eq!(hint("bind"), Some("binds"));
        assert_eq!(hint("queue-max"), Some("queue_max"));
    }

    #[test]
    fn a_forgotten_unit_finds_the_name_with_it() {
        assert_eq!(hint("response_timeout"), Some("response_timeout_ms"));
        assert_eq!(hint("response"), Some("response_timeout_ms"));
    }

    #[test]
    fn a_word_unlike_any_name_finds_none() {
        assert_eq!(hint("colour"), None);
        assert_eq!(hint(""), None);
        assert_eq!(hint(&"w".repeat(100_000)), None);
    }

    #[test]
    fn the_distance_counts_single_letters() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
