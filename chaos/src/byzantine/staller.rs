//! A member that keeps what it should pass on, for a while or for ever, and from some only.

use super::Outgoing;
use crate::rng::Rng;
use crate::sim::plan::{MILLI, SECOND};
use chorale_types::message::Message;

pub(super) fn tamper(out: &mut Vec<Outgoing>, chance: u32, rng: &mut Rng) {
    out.retain_mut(|(_, delay, message)| {
        let worth_it = matches!(
            message,
            Message::Proposal(_)
                | Message::Vote(_)
                | Message::Entry(_)
                | Message::Commit(_)
                | Message::Availability(_)
        );
        if !worth_it || !rng.chance(chance) {
            return true;
        }
        match rng.below(3) {
            0 => true,
            1 => {
                *delay += rng.between(MILLI, 2 * SECOND);
                true
            }
            _ => false,
        }
    });
}
