//! What a run reached: for each honest replica and view, what it did there and what it had done in
//! the view before. A budget of seeds that reaches nothing new is spent.
//!
//! What one replica did in one view is a set of marks. Two views in a row make one *history*;
//! different histories are counted over all seeds of a run.

use chorale_consensus::note::Note;
use chorale_types::vote::VoteKind;
use std::collections::BTreeSet;

/// Something a replica did or met in a view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mark {
    EnteredByTimeout,
    Proposed,
    Reproposed,
    Prepared,
    Committing,
    GaveUp,
    Certified,
    BackedUp,
    CommitCert,
    TimeoutCert,
    TimeoutCertWithTip,
    Final,
    CaughtUp,
    Refused,
    LaneForked,
    RescueSent,
    Rescued,
    Dropped,
    Restarted,
    WentDown,
    LaneLost,
}

/// The marks of one view, a bit each.
type Marks = u32;

/// Marks of the view before that count for a history: how it was entered and how it ended.
const BEFORE: [Mark; 5] =
    [Mark::EnteredByTimeout, Mark::Reproposed, Mark::Prepared, Mark::GaveUp, Mark::Restarted];

/// Two views in a row of one replica.
pub type History = u64;

/// What one run reached.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// By node: the marks of the view before and of this one.
    open: Vec<(Marks, Marks)>,
    seen: BTreeSet<History>,
}

impl Coverage {
    /// For so many nodes.
    #[must_use]
    pub fn new(nodes: usize) -> Self {
        Self { open: vec![(0, 0); nodes], seen: BTreeSet::new() }
    }

    /// A replica says what happened.
    pub fn on_note(&mut self, node: usize, note: &Note) {
        let mark = match note {
            Note::EnteredView { by_timeout, .. } => {
                self.close(node);
                if *by_timeout {
                    self.mark(node, Mark::EnteredByTimeout);
                }
                return;
            }
            Note::Proposed { .. } => Mark::Proposed,
            Note::Reproposed { .. } => Mark::Reproposed,
            Note::Voted { kind: VoteKind::Prepare, .. } => Mark::Prepared,
            Note::Voted { kind: VoteKind::Commit, .. } => Mark::Committing,
            Note::TimedOut { .. } => Mark::GaveUp,
            Note::QuorumCertFormed { backup: false, .. } => Mark::Certified,
            Note::QuorumCertFormed { backup: true, .. } => Mark::BackedUp,
            Note::CommitCertFormed { .. } => Mark::CommitCert,
            Note::TimeoutCertFormed { tips: 0, .. } => Mark::TimeoutCert,
            Note::TimeoutCertFormed { .. } => Mark::TimeoutCertWithTip,
            Note::Committed { .. } => Mark::Final,
            Note::CaughtUp { .. } => Mark::CaughtUp,
            Note::Refused { .. } => Mark::Refused,
            Note::WentDown { .. } => Mark::WentDown,
            Note::LaneLost(_) => Mark::LaneLost,
            Note::LaneEquivocation { .. } => Mark::LaneForked,
            Note::RescueSent { .. } => Mark::RescueSent,
            Note::Rescued { .. } => Mark::Rescued,
            Note::Dropped { .. } => Mark::Dropped,
            Note::BatchCut { .. } | Note::BatchAvailable { .. } | Note::AgreementBroken { .. } => {
                return;
            }
        };
        self.mark(node, mark);
    }

    /// A node starts again.
    pub fn on_restart(&mut self, node: usize) {
        self.close(node);
        self.mark(node, Mark::Restarted);
    }

    fn mark(&mut self, node: usize, mark: Mark) {
        self.open[node].1 |= bit(mark);
    }

    fn close(&mut self, node: usize) {
        let (before, now) = self.open[node];
        self.seen.insert(History::from(before) << Marks::BITS | History::from(now));
        let kept = BEFORE.iter().fold(0, |all, mark| all | bit(*mark));
        self.open[node] = (now & kept, 0);
    }

    /// The different histories of the run.
    #[must_use]
    pub fn into_histories(mut self) -> BTreeSet<History> {
        (0..self.open.len()).for_each(|node| self.close(node));
        self.seen
    }
}

const fn bit(mark: Mark) -> Marks {
    1 << mark as u32
}

/// What many runs reached, taken in by rising seed.
#[derive(Clone, Debug, Default)]
pub struct Reached {
    seen: BTreeSet<History>,
    /// How many runs were taken in.
    runs: u64,
    /// For each run that showed something new: its place, and how much.
    news: Vec<(u64, u64)>,
}

impl Reached {
    /// Takes one run in.
    pub fn add(&mut self, histories: BTreeSet<History>) {
        let before = self.seen.len();
        self.seen.extend(histories);
        let new = u64::try_from(self.seen.len() - before).expect("lengths fit 64 bits");
        if new > 0 {
            self.news.push((self.runs, new));
        }
        self.runs += 1;
    }

    /// Different histories.
    #[must_use]
    pub fn histories(&self) -> u64 {
        u64::try_from(self.seen.len()).expect("lengths fit 64 bits")
    }

    /// How many of them came up first in the last tenth of the runs.
    #[must_use]
    pub fn new_in_last_tenth(&self) -> u64 {
        let from = self.runs - self.runs / 10;
        self.news.iter().filter(|(run, _)| *run >= from).map(|(_, new)| new).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chorale_types::ids::View;

    fn histories(notes: &[Note]) -> BTreeSet<History> {
        let mut coverage = Coverage::new(1);
        notes.iter().for_each(|note| coverage.on_note(0, note));
        coverage.into_histories()
    }

    fn entered(by_timeout: bool) -> Note {
        Note::EnteredView { view: View::new(1), by_timeout }
    }

    #[test]
    fn a_history_depends_on_the_view_before() {
        let gave_up = Note::TimedOut { view: View::new(1) };
        let plain = histories(&[entered(false), entered(false)]);
        let after = histories(&[entered(false), gave_up, entered(false)]);
        assert_ne!(plain, after);
        assert!(after.len() > plain.len());
    }

    #[test]
    fn what_is_new_is_counted_where_it_came_up() {
        let mut reached = Reached::default();
        for run in 0..20 {
            reached.add(BTreeSet::from([if run < 18 { 1 } else { run }]));
        }
        assert_eq!((reached.histories(), reached.new_in_last_tenth()), (3, 2));
    }
}
