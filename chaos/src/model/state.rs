//! The state between two views, in 126 bits.
//!
//! A certified block is named by the first view that certified it, genesis by 0, and the few
//! blocks that somebody prepared and nobody certified by numbers from [`LOOSE`] on. Every block
//! stands on a certified one, so that is all there is to the tree.
//!
//! # Invariants
//! [`State::canonical`] gives one form to states that differ only in who is who among the honest
//! and in how uncertified blocks are named.

use super::timeout::{HONEST, Report, Tip};

/// The highest view that fits.
pub const VIEWS_MAX: u8 = 7;
/// The first name of an uncertified block.
pub const LOOSE: u8 = 8;
/// Uncertified blocks while a view is worked out: six that are reported, three that are new.
const LOOSE_MAX: usize = 9;
/// Uncertified blocks that a packed state can have: a tip and a reported tip of each.
const LOOSE_PACKED: usize = 6;

/// What one honest replica takes from one view into the next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Member {
    /// The view of its lock.
    pub lock: u8,
    /// The block it prepared last.
    pub tip: Tip,
    /// What it reported when it gave up the view just worked out, if it did.
    pub report: Option<Report>,
}

/// The state after a view.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct State {
    /// The block certified in each view; 0 for none. Index 0 is genesis.
    pub certified: [u8; VIEWS_MAX as usize + 1],
    /// The parent of each certified block.
    pub parent: [u8; VIEWS_MAX as usize + 1],
    /// The parent of each uncertified block.
    pub loose: [u8; LOOSE_MAX],
    /// The honest replicas.
    pub members: [Member; HONEST],
    /// The highest final block.
    pub last_final: u8,
    /// The highest block that all honest replicas prepared in one view.
    pub kept: u8,
}

/// Where a name of an uncertified block is kept.
const fn slot(block: u8) -> usize {
    (block - LOOSE) as usize
}

impl State {
    /// Whether a view has a certificate that a block can stand on.
    #[must_use]
    pub const fn has_certificate(&self, view: u8) -> bool {
        view == 0 || self.certified[view as usize] != 0
    }

    /// The parent of a block other than genesis.
    #[must_use]
    pub const fn parent_of(&self, block: u8) -> u8 {
        if block < LOOSE { self.parent[block as usize] } else { self.loose[slot(block)] }
    }

    /// Whether `block` is `base` or stands on it.
    #[must_use]
    pub const fn extends(&self, block: u8, base: u8) -> bool {
        let mut at = block;
        while at != base && at != 0 {
            at = self.parent_of(at);
        }
        at == base
    }

    /// Names a new block over a certified one.
    ///
    /// # Panics
    /// When every name is taken by a block that somebody reports, which three replicas cannot do.
    pub fn name_block(&mut self, parent: u8, taken: &mut u16) -> u8 {
        let free = u8::try_from((!*taken).trailing_zeros()).expect("below 17");
        *taken |= 1 << free;
        self.loose[usize::from(free)] = parent;
        LOOSE + free
    }

    /// The names of uncertified blocks in use, one bit each.
    #[must_use]
    pub fn taken(&self) -> u16 {
        self.tips().filter(|tip| tip.block >= LOOSE).fold(0, |all, tip| all | 1 << slot(tip.block))
    }

    fn tips(&self) -> impl Iterator<Item = Tip> + '_ {
        self.members
            .iter()
            .flat_map(|member| [Some(member.tip), member.report.map(|report| report.tip)])
            .flatten()
    }

    /// Renames a block that became certified in `view`.
    pub fn certify(&mut self, block: u8, view: u8) -> u8 {
        if block < LOOSE {
            self.certified[usize::from(view)] = block;
            return block;
        }
        self.certified[usize::from(view)] = view;
        self.parent[usize::from(view)] = self.loose[slot(block)];
        for member in &mut self.members {
            let reported = member.report.as_mut().map(|report| &mut report.tip);
            for tip in reported.into_iter().chain([&mut member.tip]) {
                if tip.block == block {
                    tip.block = view;
                }
            }
        }
        view
    }

    /// What tells replicas apart without naming uncertified blocks.
    fn sort_key(&self, member: &Member) -> u64 {
        let class = |block: u8| if block < LOOSE { block } else { LOOSE + self.parent_of(block) };
        let shared = self.members.iter().filter(|other| other.tip.block == member.tip.block);
        let shared = u64::try_from(shared.count()).expect("three at most");
        let mut key = shared;
        let mut push = |part: u8| key = key << 4 | u64::from(part);
        push(member.lock);
        push(member.tip.view);
        push(class(member.tip.block));
        if let Some(report) = &member.report {
            push(1);
            push(report.lock);
            push(report.tip.view);
            push(class(report.tip.block));
            push(u8::from(report.tip.block == member.tip.block));
        }
        key
    }

    /// The one form of all states that differ only in names.
    #[must_use]
    pub fn canonical(mut self) -> Self {
        let mut keyed = self.members.map(|member| (self.sort_key(&member), member));
        keyed.sort_unstable_by_key(|(key, _)| *key);
        self.members = keyed.map(|(_, member)| member);
        let mut names = [0; LOOSE_MAX];
        let mut loose = [0; LOOSE_MAX];
        let mut next = 0;
        for member in &mut self.members {
            let reported = member.report.as_mut().map(|report| &mut report.tip);
            for tip in [Some(&mut member.tip), reported].into_iter().flatten() {
                if tip.block < LOOSE {
                    continue;
                }
                let old = slot(tip.block);
                if names[old] == 0 {
                    names[old] = LOOSE + next;
                    loose[usize::from(next)] = self.loose[old];
                    next += 1;
                }
                tip.block = names[old];
            }
        }
        self.loose = loose;
        self
    }

    /// As a number; the state is canonical.
    #[must_use]
    pub fn pack(&self) -> u128 {
        let mut bits = 0_u128;
        let mut put = |value: u8, width: u32| bits = bits << width | u128::from(value);
        for view in 1..=usize::from(VIEWS_MAX) {
            put(self.certified[view], 3);
        }
        for view in 2..=usize::from(VIEWS_MAX) {
            put(self.parent[view], 3);
        }
        for parent in &self.loose[..LOOSE_PACKED] {
            put(*parent, 3);
        }
        for member in &self.members {
            let report = member.report.unwrap_or_default();
            put(u8::from(member.report.is_some()), 1);
            for (view, tip) in [(member.lock, member.tip), (report.lock, report.tip)] {
                put(view, 3);
                put(tip.view, 3);
                put(tip.block, 4);
            }
        }
        put(self.last_final, 3);
        put(self.kept, 3);
        bits
    }

    /// From the number that [`Self::pack`] gave.
    #[must_use]
    pub fn unpack(mut bits: u128) -> Self {
        let mut take = |width: u32| {
            let value = bits & ((1 << width) - 1);
            bits >>= width;
            u8::try_from(value).expect("at most four bits")
        };
        let mut state = Self { kept: take(3), last_final: take(3), ..Self::default() };
        for member in state.members.iter_mut().rev() {
            let mut pair = [(0, Tip::NONE); 2];
            for part in pair.iter_mut().rev() {
                let (block, view) = (take(4), take(3));
                *part = (take(3), Tip { view, block });
            }
            let [(lock, tip), (reported, reported_tip)] = pair;
            let report = Report { lock: reported, tip: reported_tip };
            *member = Member { lock, tip, report: (take(1) == 1).then_some(report) };
        }
        for parent in state.loose[..LOOSE_PACKED].iter_mut().rev() {
            *parent = take(3);
        }
        for view in (2..=usize::from(VIEWS_MAX)).rev() {
            state.parent[view] = take(3);
        }
        for view in (1..=usize::from(VIEWS_MAX)).rev() {
            state.certified[view] = take(3);
        }
        state
    }
}
