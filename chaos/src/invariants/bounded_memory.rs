//! Nothing that peers can fill grows past its bound.

use super::Check;
use chorale_types::limits;

/// Blocks that are fetched or wait for their parent, at most.
const WANTED_BLOCKS_MAX: usize = 128;
/// Ordered parts of one lane with missing bodies: one for each block that catch-up lets wait.
const MISSING_SLICES_MAX: usize = 2 * 256;

/// The bound of a collection that a replica names, in a set of `members`; `None` for a name that
/// is not known here.
#[must_use]
pub fn bound(name: &str, members: usize) -> Option<usize> {
    let small = |n: u64| usize::try_from(n).expect("small");
    let ahead = small(limits::VIEWS_AHEAD_MAX) + 1;
    let views = ahead + small(limits::VIEWS_BEHIND_MAX);
    let lane = small(limits::LANE_BATCHES_MAX);
    Some(match name {
        "votes" => 2 * views * members,
        "timeouts" => ahead * members,
        "checks" => limits::CHECKS_PER_PEER_MAX * members,
        "candidate blocks" => limits::UNCOMMITTED_BLOCKS_MAX,
        "wanted blocks" => WANTED_BLOCKS_MAX,
        // And of those passed the certificate's hash and one for each full answer.
        "blocks on the way down" => {
            let marks = small(limits::SYNC_COVER_BLOCKS_MAX) / limits::SYNC_BLOCKS_MAX;
            limits::SYNC_BLOCKS_MAX + 1 + marks
        }
        "proposals" => ahead,
        // And that of genesis, until the next one comes.
        "ordered roots" => limits::ORDERED_ROOTS_KEPT + 1,
        "pool transactions" => limits::POOL_TRANSACTIONS_MAX,
        "pool bytes" => limits::POOL_BYTES_MAX,
        "own batches" | "waiting batches" => lane,
        // At one place a replica holds what it acknowledged and what was certified instead.
        "held batches" => 2 * lane,
        "wanted certificates" => limits::CERTIFICATES_WANTED_MAX,
        "lane questions" => limits::FETCHES_MAX + limits::CERTIFICATES_WANTED_MAX,
        "lane checks" => limits::CHECKS_PER_PEER_MAX * members,
        "lane records" => 2 * lane * members,
        "lane certificates" => limits::LANE_CERTIFICATES_MAX,
        "lane claims" => members,
        "missing slices" => MISSING_SLICES_MAX,
        _ => return None,
    })
}

/// Checks what a replica says of its sizes.
///
/// # Errors
/// When one is over its bound, or has none.
pub fn check(sizes: &[(&'static str, usize)], members: usize) -> Check {
    for (name, size) in sizes {
        match bound(name, members) {
            None => return Err(format!("nobody stated a bound for {name}, now {size}")),
            Some(bound) if *size > bound => {
                return Err(format!("{size} {name}, at most {bound} allowed"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_over_its_bound_or_without_one_is_found() {
        let most = bound("timeouts", 4).unwrap();
        assert_eq!(check(&[("votes", 10), ("timeouts", most)], 4), Ok(()));
        assert!(check(&[("timeouts", most + 1)], 4).is_err());
        assert!(check(&[("surprises", 0)], 4).is_err());
    }
}
