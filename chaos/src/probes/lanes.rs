//! What a restart must not make a lane forget.

use super::s14_twin_lane_owner::{ack, batch};
use super::{FAULTY, committee};
use chorale_types::message::Message;

pub(super) fn an_acknowledgement_is_known_again_after_a_restart() {
    let mut c = committee(&[0, 1, 2, FAULTY]);
    let ground = c.set().info_hash();
    let (first, other) = (batch(&c, 1, ground, b"one"), batch(&c, 1, ground, b"two"));
    c.say(FAULTY, 0, Message::Batch(first.clone()));
    assert!(ack(&c, 0, &first).is_some());
    c.restart(0);
    c.say(FAULTY, 0, Message::Batch(other.clone()));
    assert!(ack(&c, 0, &other).is_none(), "one batch for one place, for ever");
}
