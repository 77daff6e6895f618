//! Recent frames, built once and shared by all who read them.
//!
//! # Invariants
//! Frames of at most [`BYTES_MAX`] bytes, as estimated, are held; the oldest to be built goes
//! first. Of several who want one frame at once, one builds and the others wait for it.

use super::{Frame, FrameView, LedgerError};
use chorale_types::ids::{RollupId, Sequence};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of frames held, their text included.
pub(super) const BYTES_MAX: usize = 32 << 20;

type Key = (RollupId, Sequence);
type Cell = Arc<Mutex<Option<Arc<FrameView>>>>;

/// The frames.
#[derive(Debug, Default)]
pub(super) struct FrameCache(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    cells: BTreeMap<Key, Cell>,
    /// Built frames with their size, oldest first.
    order: VecDeque<(Key, usize)>,
    bytes: usize,
}

/// A built frame, its payloads in hexadecimal and its proof in base64, with room to spare.
fn size(frame: &Frame) -> usize {
    let payloads: usize = frame.transactions.iter().map(|payload| payload.len() + 48).sum();
    payloads.saturating_mul(3).saturating_add(frame.proof.len().saturating_mul(3)).max(1024)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FrameCache {
    /// A frame that is built and held.
    pub(super) fn get(&self, rollup: RollupId, sequence: Sequence) -> Option<Arc<FrameView>> {
        let cell = lock(&self.0).cells.get(&(rollup, sequence)).cloned()?;
        // Somebody who builds it holds the cell; whoever asks here does not wait.
        cell.try_lock().ok().and_then(|frame| frame.clone())
    }

    /// A frame that is held, or is built now.
    pub(super) fn get_or_build(
        &self,
        rollup: RollupId,
        sequence: Sequence,
        build: impl FnOnce() -> Result<Frame, LedgerError>,
    ) -> Result<Arc<FrameView>, LedgerError> {
        let key = (rollup, sequence);
        let cell = Arc::clone(lock(&self.0).cells.entry(key).or_default());
        let mut place = lock(&cell);
        if let Some(frame) = &*place {
            return Ok(Arc::clone(frame));
        }
        match build() {
            Ok(frame) => {
                let bytes = size(&frame);
                let view = Arc::new(FrameView::new(frame));
                *place = Some(Arc::clone(&view));
                drop(place);
                lock(&self.0).built(key, bytes);
                Ok(view)
            }
            Err(error) => {
                drop(place);
                lock(&self.0).cells.remove(&key);
                Err(error)
            }
        }
    }
}

impl Inner {
    fn built(&mut self, key: Key, bytes: usize) {
        self.order.push_back((key, bytes));
        self.bytes = self.bytes.saturating_add(bytes);
        while self.bytes > BYTES_MAX {
            let Some((oldest, bytes)) = self.order.pop_front() else {
                break;
            };
            self.cells.remove(&oldest);
            self.bytes = self.bytes.saturating_sub(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chorale_types::ids::Height;
    use chorale_types::time::Timestamp;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn frame(sequence: u64, bytes: usize) -> Frame {
        Frame {
            rollup: RollupId::new(1),
            sequence: Sequence::new(sequence),
            height: Height::new(1),
            time: Timestamp::from_millis(1),
            transactions: vec![vec![0; bytes]],
            proof: Vec::new(),
        }
    }

    #[test]
    fn many_readers_of_one_frame_build_it_once() {
        let (cache, builds) = (FrameCache::default(), AtomicUsize::new(0));
        let read = || {
            let built = cache.get_or_build(RollupId::new(1), Sequence::new(1), || {
                builds.fetch_add(1, Ordering::SeqCst);
                std::thread::yield_now();
                Ok(frame(1, 10))
            });
            built.unwrap().frame.sequence
        };
        std::thread::scope(|scope| {
            (0..8).for_each(|_| drop(scope.spawn(read)));
        });
        assert_eq!(builds.load(Ordering::SeqCst), 1);
        assert!(cache.get(RollupId::new(1), Sequence::new(1)).is_some());
    }

    #[test]
    fn a_frame_that_could_not_be_built_is_tried_again() {
        let (cache, rollup) = (FrameCache::default(), RollupId::new(1));
        let failed = cache
            .get_or_build(rollup, Sequence::new(1), || Err(LedgerError::UnknownRollup { rollup }));
        assert!(failed.is_err());
        assert!(lock(&cache.0).cells.is_empty());
        assert!(cache.get_or_build(rollup, Sequence::new(1), || Ok(frame(1, 1))).is_ok());
    }

    #[test]
    fn the_oldest_frames_go_at_the_bound() {
        let (cache, rollup) = (FrameCache::default(), RollupId::new(1));
        let each = BYTES_MAX / 30;
        for n in 1..=20 {
            cache.get_or_build(rollup, Sequence::new(n), || Ok(frame(n, each))).unwrap();
        }
        assert!(lock(&cache.0).bytes <= BYTES_MAX);
        assert!(cache.get(rollup, Sequence::new(1)).is_none());
        assert!(cache.get(rollup, Sequence::new(20)).is_some());
        let held = lock(&cache.0);
        assert_eq!(held.cells.len(), held.order.len());
    }
}
