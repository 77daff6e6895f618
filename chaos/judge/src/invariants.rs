//! What must hold, one file each.
//!
//! Each watches histories as they are read, or looks at the tables of the case afterwards, and ends
//! in an [`Outcome`]. What this version cannot decide is said to be not judged, with the reason:
//! nothing passes by silence.

pub mod acknowledged;
pub mod agreement;
pub mod certificates;
pub mod liveness;
pub mod ordering;
pub mod projection;
pub mod real_time;
pub mod recovery;
pub mod served;
pub mod signing;
pub mod streams;

use crate::case::Case;
use crate::report::{Outcome, Ruling};

/// Those that watch while histories are read.
#[derive(Debug, Default)]
pub struct Rules {
    /// I1.
    pub agreement: agreement::Agreement,
    /// I2.
    pub certificates: certificates::Certificates,
    /// I3.
    pub acknowledged: acknowledged::Acknowledged,
    /// I4.
    pub streams: streams::Streams,
    /// I5.
    pub projection: projection::Projection,
    /// I7.
    pub signing: signing::Signing,
    /// I12.
    pub ordering: ordering::Ordering,
    /// I15.
    pub served: served::Served,
    /// I16.
    pub recovery: recovery::Recovery,
}

impl Rules {
    /// Decides every invariant, in order.
    #[must_use]
    pub fn decide(mut self, case: &Case<'_>) -> Vec<Ruling> {
        for (place, vote) in self.certificates.votes() {
            self.agreement.on_verified(case, place, vote);
        }
        let no = |why: &str| Outcome::NotJudged { why: why.into() };
        vec![
            rule("I1", "one block at each height", self.agreement.decide(case)),
            rule("I2", "certificates prove what they say", self.certificates.decide(case)),
            rule("I3", "what was promised is there, once", self.acknowledged.decide(case)),
            rule("I4", "streams are whole and the same for all", self.streams.decide()),
            rule("I5", "a stream is what the chain ordered", self.projection.decide(case)),
            rule("I6", "the order that was promised", real_time::decide(case)),
            rule("I7", "nobody honest signs twice", self.signing.decide()),
            rule("I8", "final in time once healed", liveness::decide(case)),
            rule("I9", "overload leaves nothing behind", no("histories hold no metrics")),
            rule("I10", "bytes of strangers cost little", no("histories hold no metrics")),
            rule("I11", "memory is bounded", no("histories hold no metrics")),
            rule("I12", "the same blocks come to the same", self.ordering.decide(case)),
            rule("I13", "evidence names the guilty", no("blocks of version 1 carry no evidence")),
            rule("I14", "one set for each view", no("the set of version 1 never changes")),
            rule("I15", "nothing untrue is served", self.served.decide()),
            rule("I16", "who fails comes back alone", self.recovery.decide(case)),
        ]
    }
}

const fn rule(id: &'static str, promise: &'static str, outcome: Outcome) -> Ruling {
    Ruling { id, promise, outcome }
}
