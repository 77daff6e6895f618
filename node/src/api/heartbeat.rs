//! One heartbeat for all subscribers of a rollup: its proof is made at most once a second,
//! however many listen.

use super::App;
use super::error::Problem;
use super::frame;
use bytes::Bytes;
use chorale_types::ids::{RollupId, Sequence};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a heartbeat may be repeated.
const FRESH: Duration = Duration::from_secs(1);

/// A heartbeat, rendered.
pub(super) struct Beat {
    /// The sequence that it says comes next.
    pub(super) next_sequence: Sequence,
    /// The event.
    pub(super) event: Bytes,
    made: Instant,
}

/// The last heartbeat of each rollup. Bounded by the number of registered rollups.
#[derive(Default)]
pub(super) struct Beats(Mutex<BTreeMap<RollupId, Arc<Beat>>>);

impl Beats {
    fn fresh(&self, rollup: RollupId, head: Sequence) -> Option<Arc<Beat>> {
        let beats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let beat = beats.get(&rollup)?;
        let holds = beat.made.elapsed() < FRESH && beat.next_sequence == head.next();
        holds.then(|| Arc::clone(beat))
    }

    fn keep(&self, rollup: RollupId, beat: &Arc<Beat>) {
        let mut beats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        beats.insert(rollup, Arc::clone(beat));
    }
}

impl App {
    /// A heartbeat of `rollup`, at most a second old; `None` when a block came while it was made,
    /// which its proof may or may not speak of.
    pub(super) async fn heartbeat(&self, rollup: RollupId) -> Result<Option<Arc<Beat>>, Problem> {
        let head = || self.handles().ledger.head(rollup).unwrap_or_default().sequence;
        if let Some(beat) = self.beats().fresh(rollup, head()) {
            return Ok(Some(beat));
        }
        let view = self.read(move |ledger| ledger.read_heartbeat(rollup)).await?;
        let event = frame::heartbeat(rollup, &view);
        let next_sequence = view.next_sequence;
        let beat = Arc::new(Beat { next_sequence, event, made: Instant::now() });
        if head().next() != next_sequence {
            return Ok(None);
        }
        self.beats().keep(rollup, &beat);
        Ok(Some(beat))
    }
}
