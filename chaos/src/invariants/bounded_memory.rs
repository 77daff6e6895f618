//! Nothing that peers can fill grows past its bound.

use super::Check;
use chorale_types::limits;

/// The bound of a collection that a replica names, in a set of `members`; `None` for a name that
/// is not known here.
#[must_use]
pub fn bound(name: &str, members: usize) -> Option<usize> {
    let views = |n: u64| usize::try_from(n).expect("small") * members;
    Some(match name {
        "votes" => 2 * views(limits::VIEWS_AHEAD_MAX + limits::VIEWS_BEHIND_MAX + 1),
        "timeouts" => views(limits::VIEWS_AHEAD_MAX + 1),
        "checks" => limits::CHECKS_PER_PEER_MAX * members,
        "candidate blocks" => limits::UNCOMMITTED_BLOCKS_MAX,
        "ordered roots" => limits::ORDERED_ROOTS_KEPT + 1,
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
        assert_eq!(check(&[("votes", 10), ("ordered roots", 65)], 4), Ok(()));
        assert!(check(&[("ordered roots", 66)], 4).is_err());
        assert!(check(&[("surprises", 0)], 4).is_err());
    }
}
