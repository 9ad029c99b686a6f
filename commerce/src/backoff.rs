//! How long to wait before the same is tried again.
//!
//! Longer each time, and partly by chance, so that what failed together is not tried again together.

/// The wait after so many tries: the first one doubled with each, at most the greatest, and of that a
/// half to the whole.
pub(crate) fn wait_ms(tries: i64, first_ms: i64, most_ms: i64) -> i64 {
    // Twenty doublings of a millisecond are a quarter of an hour, more than anything here waits for.
    let doublings = tries.saturating_sub(1).clamp(0, 20);
    let whole = first_ms.saturating_mul(1 << doublings).clamp(0, most_ms);
    whole / 2 + fastrand::i64(0..=whole - whole / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_doubles_up_to_the_greatest_and_is_never_less_than_half_of_it() {
        for (tries, whole) in [
            (0, 100),
            (1, 100),
            (2, 200),
            (5, 1_600),
            (9, 5_000),
            (i64::MAX, 5_000),
        ] {
            for _ in 0..50 {
                let wait = wait_ms(tries, 100, 5_000);
                assert!((whole / 2..=whole).contains(&wait), "{tries}: {wait}");
            }
        }
    }
}
