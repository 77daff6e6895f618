//! A random walk of the model: whatever exists is shown to whoever it pleases, justified or not.

use chorale_chaos::model::honest::{Entry, Proposal};
use chorale_chaos::model::rule::Rules;
use chorale_chaos::model::timeout::{Report, TimeoutCert, Tip};
use chorale_chaos::model::world::{Event, Said, World};
use chorale_chaos::rng::Rng;

pub(super) struct Walk {
    pub(super) world: World,
    pub(super) in_force: Rules,
    rng: Rng,
    views: u8,
    /// Who was shown which block in which view: a second time is not looked at.
    shown: Vec<(usize, u8, u8)>,
}

impl Walk {
    pub(super) fn new(rng: Rng, views: u8) -> Self {
        let world = World::default();
        Self { world, in_force: Rules::ALL, rng, views, shown: Vec::new() }
    }

    /// One thing happens, if what was drawn exists: to whom, what, and what is said to it.
    pub(super) fn step(&mut self) -> Option<(usize, Event, Said)> {
        let to = self.rng.index(3);
        let event = match self.rng.below(10) {
            0 => self.certificate()?,
            1 | 2 => Event::Timeouts(self.timeouts()?),
            3 | 4 => Event::Timer,
            _ => self.proposal(to)?,
        };
        let in_time = self.world.replicas[to].view <= self.views;
        if matches!(event, Event::Timer) && !in_time {
            return None;
        }
        let said = self.world.step(to, &event, self.in_force);
        Some((to, event, said))
    }

    fn view(&mut self) -> u8 {
        u8::try_from(self.rng.between(1, u64::from(self.views))).unwrap()
    }

    fn certificate(&mut self) -> Option<Event> {
        let view = self.view();
        self.world.certified(view).map(|_| Event::Certificate(view))
    }

    /// A timeout certificate of any view that enough gave up, with any lie.
    fn timeouts(&mut self) -> Option<TimeoutCert> {
        let view = self.view();
        self.timeouts_of(view)
    }

    fn timeouts_of(&mut self, view: u8) -> Option<TimeoutCert> {
        let reported = self.world.reports[usize::from(view)];
        let mut reports: Vec<Report> = reported.into_iter().flatten().collect();
        if reports.len() == 3 {
            match self.rng.below(5) {
                drop @ 0..=2 => drop_at(&mut reports, drop),
                3 => return Some(TimeoutCert::new(view, &reports)),
                _ => {}
            }
        }
        if reports.len() < 2 {
            return None;
        }
        reports.push(self.lie(view));
        Some(TimeoutCert::new(view, &reports))
    }

    fn lie(&mut self, view: u8) -> Report {
        let exists = |lock: &u8| self.world.certified(*lock).is_some();
        let locks: Vec<u8> = (0..view).filter(exists).collect();
        let lock = self.rng.pick(&locks);
        let block = u8::try_from(self.rng.below(u64::from(self.world.blocks))).unwrap();
        if block == 0 {
            return Report { lock, tip: Tip::NONE };
        }
        let made = self.world.made_in[usize::from(block)].min(view);
        let voted = u8::try_from(self.rng.between(u64::from(made), u64::from(view))).unwrap();
        Report { lock, tip: Tip { view: voted, block } }
    }

    /// A proposal for a view at or near the replica's; often one that must be refused.
    fn proposal(&mut self, to: usize) -> Option<Event> {
        let ahead = u8::from(self.rng.chance(300_000));
        let view = self.world.replicas[to].view + ahead;
        if view > self.views {
            return None;
        }
        let before = view - 1;
        let by_certificate = self.rng.chance(400_000) && self.world.certified(before).is_some();
        if before == 0 || by_certificate {
            let block = self.fresh(before, view, to)?;
            let (entry, parent) = (Entry::Certified, Some(before));
            return self.show(to, Proposal { view, block, entry, parent, oldest: 0 });
        }
        // Now and then a certificate of an older view, which justifies nothing here.
        let given_up = if self.rng.chance(900_000) { before } else { self.view().min(before) };
        let tc = self.timeouts_of(given_up)?;
        let entry = Entry::GivenUp(tc);
        if self.rng.chance(400_000) {
            let tips: Vec<u8> = tc.reports().iter().map(|report| report.tip.block).collect();
            let block = self.rng.pick(&tips);
            if block == 0 {
                return None;
            }
            let proposal =
                Proposal { view, block, entry, parent: None, oldest: self.oldest(block) };
            return self.show(to, proposal);
        }
        let exists = |parent: &u8| self.world.certified(*parent).is_some();
        let parents: Vec<u8> = (0..=before).filter(exists).collect();
        let parent = self.rng.pick(&parents);
        let block = self.fresh(parent, view, to)?;
        let proposal = Proposal { view, block, entry, parent: Some(parent), oldest: 0 };
        self.show(to, proposal)
    }

    fn oldest(&self, block: u8) -> u8 {
        let parent = self.world.parents[usize::from(block)];
        let certifies = |view: &u8| self.world.certified(*view) == Some(parent);
        (0..=self.views).find(certifies).unwrap_or(0)
    }

    /// A block of a view over what is certified in another: one that there is, or a new one.
    fn fresh(&mut self, parent: u8, view: u8, to: usize) -> Option<u8> {
        let parent = self.world.certified(parent)?;
        let same = |block: &u8| {
            let at = usize::from(*block);
            self.world.parents[at] == parent && self.world.made_in[at] == view
        };
        let unseen = |block: &u8| !self.shown.contains(&(to, view, *block));
        let known: Vec<u8> = (1..self.world.blocks).filter(same).filter(unseen).collect();
        if !known.is_empty() && self.rng.chance(700_000) {
            return Some(self.rng.pick(&known));
        }
        self.world.make_block(parent, view)
    }

    fn show(&mut self, to: usize, proposal: Proposal) -> Option<Event> {
        let key = (to, proposal.view, proposal.block);
        if self.shown.contains(&key) {
            return None;
        }
        self.shown.push(key);
        Some(Event::Proposal(proposal))
    }
}

fn drop_at(reports: &mut Vec<Report>, at: u64) {
    reports.remove(usize::try_from(at).unwrap());
}
