//! One rollup's part of the state.

use super::{Delivered, OrderedRollup};
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Height, RollupId, Sequence};
use chorale_types::ordered::{
    Moment, OrderedRecord, RollupContent, RollupLeaf, Skipped, StreamLink, Window, WindowEntry,
    WindowError, WindowRule, stream_root,
};
use chorale_types::time::Timestamp;
use chorale_types::transaction::TransactionId;

/// How far a rollup is, and what it remembers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct RollupState {
    sequence: Sequence,
    height: Height,
    stream_root: Digest,
    window: Window,
}

impl RollupState {
    pub(super) const fn new(rule: WindowRule) -> Self {
        Self {
            sequence: Sequence::ZERO,
            height: Height::ZERO,
            stream_root: Digest::ZERO,
            window: Window::new(rule),
        }
    }

    /// As committed to by `leaf`, the window from what was delivered at the records' heights.
    pub(super) fn restore<R: AsRef<OrderedRecord>>(
        rule: WindowRule,
        leaf: &RollupLeaf,
        records: &[R],
    ) -> Result<Self, WindowError> {
        let start = leaf.window.start;
        let inside = records
            .iter()
            .map(AsRef::as_ref)
            .filter(|record| start != Height::ZERO && record.height >= start);
        let entries = inside.filter_map(|record| {
            let mut ids = record.content(leaf.rollup)?.delivered.clone();
            ids.sort_unstable();
            let entry = WindowEntry { height: record.height, clock: record.clock, ids };
            (!entry.ids.is_empty()).then_some(entry)
        });
        let window = Window::resume(rule, &leaf.window, entries)?;
        let RollupLeaf { sequence, height, stream_root, .. } = *leaf;
        Ok(Self { sequence, height, stream_root, window })
    }

    pub(super) const fn sequence(&self) -> Sequence {
        self.sequence
    }

    pub(super) fn leaf(&self, rollup: RollupId) -> RollupLeaf {
        RollupLeaf {
            rollup,
            sequence: self.sequence,
            height: self.height,
            stream_root: self.stream_root,
            window: self.window.commitment(),
        }
    }

    pub(super) fn expire(&mut self, at: Moment) {
        self.window.expire(at);
    }

    /// Delivers what the window does not know, and accounts for the rest.
    pub(super) fn deliver(
        &mut self,
        rollup: RollupId,
        at: Moment,
        time: Timestamp,
        arrivals: &[Delivered],
    ) -> (OrderedRollup, RollupContent) {
        let ids: Vec<TransactionId> = arrivals.iter().map(|arrival| arrival.id).collect();
        let (mut delivered, mut skipped) = (Vec::with_capacity(ids.len()), Vec::new());
        let earlier = self.window.earlier(at, &ids);
        for ((arrival, position), earlier) in arrivals.iter().zip(0_u32..).zip(earlier) {
            match earlier {
                None => delivered.push(*arrival),
                Some(earlier) => skipped.push(Skipped { position, id: arrival.id, earlier }),
            }
        }
        let previous = self.height;
        let ids: Vec<TransactionId> = delivered.iter().map(|arrival| arrival.id).collect();
        if !ids.is_empty() {
            self.extend(at, time, &ids);
        }
        let sequence = self.sequence;
        let content =
            RollupContent { rollup, sequence, previous, delivered: ids, skipped: skipped.clone() };
        (OrderedRollup { rollup, sequence, delivered, skipped }, content)
    }

    fn extend(&mut self, at: Moment, time: Timestamp, ids: &[TransactionId]) {
        self.sequence = self.sequence.next();
        self.height = at.height;
        self.stream_root = stream_root(&StreamLink {
            previous: self.stream_root,
            sequence: self.sequence,
            height: at.height,
            time,
            ids,
        });
        self.window.remember(at, ids.to_vec());
    }
}
