//! Faulty members: a replica that follows the rules, and between it and the wire someone who does
//! not. Outputs go in, worse outputs come out, signed with the member's own keys and nobody
//! else's.

pub(crate) mod craft;
mod equivocator;
mod forker;
mod garbler;
mod lane_owner;
mod liar;
mod staller;

use crate::rng::{MILLION, Rng, Stream};
use crate::sim::cluster::Signer;
use crate::sim::queue::Micros;
use chorale_consensus::output::Recipients;
use chorale_types::message::Message;
use chorale_types::validators::ValidatorSet;
use equivocator::Equivocator;
use forker::Forker;
use lane_owner::LaneOwner;
use liar::Liar;
use serde::{Deserialize, Serialize};

/// What a faulty member does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// Packs two batches for one place of its lane and shows each to some.
    pub lane: bool,
    /// Proposes two blocks in one view and votes for each before some.
    pub leader: bool,
    /// Reports less than it knows in timeouts, differently to each.
    pub liar: bool,
    /// Votes to commit what it should not.
    pub commits: bool,
    /// Spoils signatures, with this chance in a million.
    pub garble: u32,
    /// Hides its votes and shows two branches, to make both final.
    pub forks: bool,
    /// Holds certificates, proposals and votes back, with this chance in a million.
    pub stall: u32,
}

impl Behaviour {
    /// Draws one that does something.
    #[must_use]
    pub fn draw(rng: &mut Rng) -> Self {
        if rng.chance(300_000) {
            return Self { forks: true, ..Self::default() };
        }
        loop {
            let behaviour = Self {
                lane: rng.chance(500_000),
                leader: rng.chance(500_000),
                liar: rng.chance(500_000),
                commits: rng.chance(300_000),
                forks: false,
                garble: rng.pick(&[0, 0, 0, 20_000, 300_000]),
                stall: rng.pick(&[0, 0, 100_000, 500_000, MILLION]),
            };
            if behaviour != Self::default() {
                return behaviour;
            }
        }
    }
}

/// One message on its way out: to whom, how much later, what.
pub type Outgoing = (usize, Micros, Message);

/// Who stands between a faulty member's replica and the wire.
#[derive(Debug)]
pub struct Adversary {
    behaviour: Behaviour,
    me: usize,
    members: usize,
    rng: Rng,
    signer: Signer,
    lane: LaneOwner,
    equivocator: Equivocator,
    liar: Liar,
    forker: Option<Forker>,
    /// Messages changed, made up or held back so far.
    pub tampered: u64,
}

impl Adversary {
    /// For one member of a set.
    #[must_use]
    pub fn new(behaviour: Behaviour, signer: Signer, set: &ValidatorSet, seed: u64) -> Self {
        let me = signer.index.as_usize();
        let salt = u64::try_from(me).expect("few members") << 32;
        Self {
            behaviour,
            me,
            members: usize::from(set.len()),
            rng: Rng::new(seed ^ salt, Stream::Byzantine),
            signer,
            lane: LaneOwner::default(),
            equivocator: Equivocator::default(),
            liar: Liar::default(),
            forker: behaviour.forks.then(|| Forker::new(signer, set)),
            tampered: 0,
        }
    }

    /// What leaves instead of `message`.
    pub fn leave(&mut self, to: Recipients, message: Message) -> Vec<Outgoing> {
        let all = 0..self.members;
        let honest: Vec<Outgoing> = match to {
            Recipients::All => {
                let others = all.filter(|peer| *peer != self.me);
                others.map(|peer| (peer, 0, message.clone())).collect()
            }
            Recipients::One(peer) => vec![(peer.as_usize(), 0, message)],
        };
        let mut out = honest.clone();
        if self.behaviour.lane {
            self.lane.tamper(&mut out, &self.signer, &mut self.rng);
        }
        if self.behaviour.leader {
            self.equivocator.tamper(&mut out, &self.signer, &mut self.rng);
        }
        if self.behaviour.liar {
            self.liar.tamper(&mut out, &self.signer, &mut self.rng);
        }
        if self.behaviour.commits {
            equivocator::commit_early(&mut out, &self.signer);
        }
        if let Some(forker) = &mut self.forker {
            forker.leave(&mut out, &mut self.rng);
        }
        garbler::tamper(&mut out, self.behaviour.garble, &mut self.rng);
        staller::tamper(&mut out, self.behaviour.stall, &mut self.rng);
        let same = out.iter().zip(&honest).filter(|(a, b)| a == b).count();
        let changed = out.len().max(honest.len()) - same;
        self.tampered += u64::try_from(changed).expect("few messages");
        out
    }

    /// In how many views a forker showed two blocks, and how many ended as it wanted.
    #[must_use]
    pub fn forks(&self) -> (u64, u64) {
        self.forker.as_ref().map_or((0, 0), |forker| (forker.shown, forker.closed))
    }

    /// Something arrives for the member's replica; what the adversary sends because of it.
    pub fn arrive(&mut self, from: usize, message: &Message) -> Vec<Outgoing> {
        let mut out = Vec::new();
        if let Some(forker) = &mut self.forker {
            forker.arrive(from, message, &mut out, &mut self.rng);
        }
        self.tampered += u64::try_from(out.len()).expect("few messages");
        out
    }
}

#[cfg(test)]
mod tests;
