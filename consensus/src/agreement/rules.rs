//! What the rules of agreement compare, on views alone. The replica decides by these, and so does
//! the exhaustive model: flipping one of them here breaks both.

use chorale_types::ids::View;

/// A1: whether a checked certificate becomes the lock.
#[must_use]
pub fn adopts(lock: View, certificate: View) -> bool {
    certificate > lock
}

/// V2: whether a prepare vote in `view` may follow the last view voted in or given up.
#[must_use]
pub fn may_prepare(view: View, last_voted: View) -> bool {
    view > last_voted
}

/// C1: whether a commit vote on a certificate of `view` may follow what was given up and what was
/// committed before.
#[must_use]
pub fn may_commit(view: View, highest_timeout: View, last_commit: View) -> bool {
    highest_timeout < view && view > last_commit
}

/// T1: whether `view` may be given up.
#[must_use]
pub fn may_time_out(view: View, highest_timeout: View) -> bool {
    view > highest_timeout
}

/// V3(b): whether a fresh block may stand on a certificate of view `parent`: not below the highest
/// certificate reported, nor below the highest vote reported for a supported tip.
#[must_use]
pub fn may_stand_on(parent: View, highest_reported: View, supported: Option<View>) -> bool {
    parent >= highest_reported && supported.is_none_or(|vote| parent >= vote)
}

/// P3: whether a leader that was told of a supported tip proposes it again, or builds on its lock.
#[must_use]
pub fn proposes_again(lock: View, supported: View) -> bool {
    lock < supported
}
