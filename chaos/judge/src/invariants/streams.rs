//! I4. A rollup's stream is gapless and rising, each frame comes once, every subscriber reads the
//! same bytes at a sequence, and a subscriber that goes on elsewhere goes on where it was.

use crate::case::Case;
use crate::crypto::sha256;
use crate::history::follower::FrameLine;
use crate::report::{Finding, Outcome, Place};
use crate::wire::Wire as _;
use crate::wire::proof::Frame;

/// Watches followers.
#[derive(Debug, Default)]
pub struct Streams {
    finding: Finding,
}

/// One follower, from its start on.
#[derive(Debug)]
pub struct Reader {
    rollup: u64,
    due: u64,
    last: Option<(u64, u64)>,
}

impl Streams {
    /// A follower starts.
    #[must_use]
    pub const fn start(&mut self, rollup: u64, from: u64) -> Reader {
        Reader { rollup, due: from, last: None }
    }

    /// It read a frame.
    pub fn on_frame(
        &mut self,
        reader: &mut Reader,
        case: &Case<'_>,
        place: &Place,
        frame: &FrameLine,
    ) {
        let FrameLine { rollup, sequence, height, time, .. } = *frame;
        let finding = &mut self.finding;
        finding.check(rollup == reader.rollup, place, || {
            format!("a frame of rollup {rollup} for a follower of {}", reader.rollup)
        });
        finding.check(sequence == reader.due, place, || {
            let what = if sequence > reader.due { "gap" } else { "repeated" };
            format!("{what}: sequence {sequence} where {} was due", reader.due)
        });
        reader.due = sequence.saturating_add(1);
        let rises = reader.last.is_none_or(|(h, t)| h < height && t < time);
        finding.check(rises, place, || {
            format!("sequence {sequence} does not rise in height and time")
        });
        reader.last = Some((height, time));
        finding.check(!frame.ids.is_empty(), place, || format!("sequence {sequence} is empty"));
        self.compare(case, place, frame);
        self.weigh(place, frame);
    }

    /// Others read the same.
    fn compare(&mut self, case: &Case<'_>, place: &Place, frame: &FrameLine) {
        let frames = case.frames.get(&frame.rollup);
        let Some(first) = frames.and_then(|frames| frames.get(&frame.sequence)) else { return };
        let own = (&frame.digest, frame.height, frame.time, &frame.ids);
        let same = own == (&first.digest, first.height, first.time, &first.ids);
        self.finding.check(same, place, || {
            format!("fork: sequence {} is another at {}", frame.sequence, first.place)
        });
    }

    /// The digest is that of the bytes, where they are recorded.
    fn weigh(&mut self, place: &Place, line: &FrameLine) {
        let Some(bytes) = &line.bytes else { return };
        let Ok(frame) = Frame::read(&bytes.0) else { return };
        let mut parts = Vec::new();
        (frame.sequence, (frame.height, frame.time)).put(&mut parts);
        frame.transactions.0.iter().for_each(|transaction| transaction.put(&mut parts));
        self.finding.check(sha256(&[&parts]) == line.digest, place, || {
            format!("sequence {} does not have the digest it says", line.sequence)
        });
    }

    /// A follower was told to stop.
    pub fn on_end(&mut self, reader: &Reader, place: &Place, next: u64) {
        self.finding.check(next == reader.due, place, || {
            format!("stale cursor: {next} would come next, {} is due", reader.due)
        });
    }

    /// The end of it.
    #[must_use]
    pub fn decide(self) -> Outcome {
        self.finding.outcome()
    }
}
