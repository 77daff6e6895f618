//! Fetching what is missing: whom to ask, and single blocks by hash. (Rule S1; the final chain is
//! fetched in `catch_up`.)
//!
//! # Invariants
//! One question is out for each wanted block after the first ones; at most [`WANTED_MAX`] blocks
//! are wanted and as many fetched ones wait for their parent. Nothing is asked on a peer's claim:
//! only a checked certificate or a leader's proposal names blocks.

use super::Agreement;
use super::chain::NotTaken;
use super::descent::Descent;
use crate::context::Context;
use crate::input::{AskId, RequestToken, Timer};
use crate::lanes::Lanes;
use crate::note::Fault;
use crate::output::Output;
use chorale_types::block::Block;
use chorale_types::certificate::{CommitCert, QuorumCert};
use chorale_types::crypto::bitmap::SignerSet;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Height, ValidatorIndex};
use chorale_types::message::{Request, Response};
use chorale_types::museum::{Bug, planted};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

/// Blocks wanted at once.
const WANTED_MAX: usize = 64;

/// A block that is wanted.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Want {
    asked: Vec<AskId>,
    /// Members asked so far; given up after everyone was asked twice.
    tries: u16,
}

/// What the question for the chain that is out asks for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Question {
    /// What is final above the head.
    Chain,
    /// This block and those below it.
    Ancestors(Digest),
}

/// What is missing and being asked for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Sync {
    me: Option<ValidatorIndex>,
    members: u16,
    next_peer: u16,
    wanted: BTreeMap<Digest, Want>,
    orphans: BTreeMap<Digest, Arc<Block>>,
    pub(super) chain_ask: Option<(AskId, Question)>,
    /// The highest certificate whose block is out of reach.
    pub(super) target: Option<Arc<CommitCert>>,
    /// Who was asked for the chain since an answer last raised the head.
    pub(super) asked: SignerSet,
    /// The lowest certificate that somebody covers the next block with.
    pub(super) cover: Option<Arc<CommitCert>>,
    pub(super) descent: Option<Descent>,
    commit_wish: Option<QuorumCert>,
}

impl Sync {
    pub(crate) fn new(me: Option<ValidatorIndex>, members: u16) -> Self {
        Self {
            me,
            members,
            next_peer: 0,
            wanted: BTreeMap::new(),
            orphans: BTreeMap::new(),
            chain_ask: None,
            target: None,
            asked: SignerSet::new(members),
            cover: None,
            descent: None,
            commit_wish: None,
        }
    }

    /// Blocks wanted and waiting, for the bound on memory.
    pub(crate) fn len(&self) -> usize {
        self.wanted.len().saturating_add(self.orphans.len())
    }

    /// Blocks and hashes on a way down, for the bound on memory.
    pub(super) fn descent_len(&self) -> usize {
        self.descent.as_ref().map_or(0, Descent::len)
    }

    /// Members that can be asked.
    pub(super) fn others(&self) -> usize {
        usize::from(self.members).saturating_sub(usize::from(self.me.is_some()))
    }

    /// Whether every other member was asked for the chain since an answer last raised the head.
    pub(super) fn all_were_asked(&self) -> bool {
        self.asked.count() >= self.others()
    }

    /// The highest height known to be final.
    pub(crate) fn target_height(&self) -> Option<Height> {
        self.target.as_ref().map(|cc| cc.vote().height)
    }

    /// A certificate names a final block that cannot be reached yet.
    pub(super) fn aim(&mut self, cc: &Arc<CommitCert>) {
        if self.target_height().is_none_or(|height| cc.vote().height > height) {
            self.target = Some(Arc::clone(cc));
        }
    }

    /// Everything up to `height` is final here.
    pub(super) fn reached(&mut self, height: Height) {
        if self.target_height().is_some_and(|target| target <= height) {
            self.target = None;
        }
        if self.cover.as_ref().is_some_and(|cover| cover.vote().height <= height) {
            self.cover = None;
        }
        if let Some(descent) = &mut self.descent {
            descent.reached(height);
            if descent.next().is_none() {
                self.descent = None;
            }
        }
        self.orphans.retain(|_, block| block.header.height > height);
    }

    /// A commit vote waits for its block.
    pub(super) fn wish_commit(&mut self, qc: &QuorumCert) {
        if self.commit_wish.as_ref().is_none_or(|wish| qc.view() > wish.view()) {
            self.commit_wish = Some(qc.clone());
        }
    }

    /// The next member in turn that was not asked for the chain since an answer last raised the
    /// head.
    pub(super) fn unasked_peer(&mut self) -> Option<ValidatorIndex> {
        let asked = self.asked;
        (0..self.members).find_map(|_| self.peer().filter(|peer| !asked.contains(*peer)))
    }

    /// The next member to ask, in turn; `None` when there is nobody else.
    pub(super) fn peer(&mut self) -> Option<ValidatorIndex> {
        for _ in 0..self.members {
            let at = self.next_peer.checked_rem(self.members)?;
            self.next_peer = at.saturating_add(1);
            let peer = ValidatorIndex::new(at);
            if Some(peer) != self.me {
                return Some(peer);
            }
        }
        None
    }
}

impl Agreement {
    /// S1: asks for a block that a certificate or a proposal names.
    pub(super) fn want_block(
        &mut self,
        hash: Digest,
        holders: &[ValidatorIndex],
        ctx: &mut Context<'_>,
    ) {
        if planted(Bug::NoFetch) {
            return;
        }
        let mut missing = hash;
        while let Some(orphan) = self.sync.orphans.get(&missing) {
            missing = orphan.header.parent;
        }
        self.ask_block(missing, holders, ctx);
    }

    /// Members that signed for a block, without this replica, with stake that contains an honest
    /// one: all are asked at once, so that a silent one costs nothing.
    pub(super) fn some_of(&self, signers: &SignerSet) -> Vec<ValidatorIndex> {
        let mut stake = 0_u64;
        signers
            .iter()
            .filter(|index| Some(*index) != self.me)
            .take_while(|index| {
                let enough = stake >= self.set.one_honest();
                stake = stake.saturating_add(self.set.stake(*index));
                !enough
            })
            .collect()
    }

    fn ask_block(&mut self, hash: Digest, holders: &[ValidatorIndex], ctx: &mut Context<'_>) {
        let known = self.sync.wanted.contains_key(&hash) || self.sync.orphans.contains_key(&hash);
        if known || self.chain.get(&hash).is_some() || self.sync.wanted.len() >= WANTED_MAX {
            return;
        }
        let mut asked: Vec<ValidatorIndex> =
            holders.iter().copied().filter(|index| Some(*index) != self.me).collect();
        if asked.is_empty() {
            asked.extend(self.sync.peer());
        }
        let tries = u16::try_from(asked.len()).unwrap_or(u16::MAX);
        let asked: Vec<AskId> =
            asked.into_iter().map(|peer| ctx.ask(peer, Request::Block { hash })).collect();
        self.sync.wanted.insert(hash, Want { asked, tries });
    }

    /// Asks the next member for every block that the last one did not give.
    fn ask_blocks_again(&mut self, ctx: &mut Context<'_>) {
        let tries_max = self.set.len().saturating_mul(2);
        self.sync.wanted.retain(|_, want| !want.asked.is_empty() || want.tries < tries_max);
        let unanswered: Vec<Digest> = self
            .sync
            .wanted
            .iter()
            .filter(|(hash, want)| want.asked.is_empty() && self.chain.get(hash).is_none())
            .map(|(hash, _)| *hash)
            .collect();
        self.sync.wanted.retain(|hash, _| self.chain.get(hash).is_none());
        for hash in unanswered {
            let Some(peer) = self.sync.peer() else { return };
            let asked = vec![ctx.ask(peer, Request::Block { hash })];
            if let Some(want) = self.sync.wanted.get_mut(&hash) {
                *want = Want { asked, tries: want.tries.saturating_add(1) };
            }
        }
    }

    pub(super) fn arm_sync(&self, ctx: &mut Context<'_>) {
        ctx.arm(Timer::Sync, ctx.now.monotonic.after(self.pacemaker.resend_period()));
    }

    /// Asks again, of the next member, for what nobody gave.
    pub(super) fn on_sync_timer(&mut self, lanes: &mut Lanes, ctx: &mut Context<'_>) {
        self.ask_blocks_again(ctx);
        if let Some(wish) = self.sync.commit_wish.take() {
            self.try_commit_vote(&wish, ctx);
        }
        self.retry(lanes, ctx);
        self.try_sync(lanes, ctx);
        self.arm_sync(ctx);
    }

    /// An answer; `false` when the question was not one of these.
    pub(crate) fn on_response(
        &mut self,
        from: ValidatorIndex,
        (id, response): (AskId, Option<&Response>),
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) -> bool {
        if let Some((_, question)) = self.sync.chain_ask.take_if(|(asked, _)| *asked == id) {
            self.on_chain_response(from, (question, response), lanes, ctx);
            return true;
        }
        let asked = |(_, want): &(&Digest, &Want)| want.asked.contains(&id);
        let Some(hash) = self.sync.wanted.iter().find(asked).map(|(hash, _)| *hash) else {
            if planted(Bug::LateAnswerPunished) && matches!(response, Some(Response::Block { .. }))
            {
                ctx.report(from, Fault::BadAnswer);
            }
            return false;
        };
        match response {
            Some(Response::Block { block: Some(block) })
                if block.hash() == hash && block.validate().is_ok() =>
            {
                self.sync.wanted.remove(&hash);
                self.on_block(hash, Arc::clone(block), from, lanes, ctx);
            }
            other => {
                if !matches!(other, None | Some(Response::Block { block: None })) {
                    ctx.report(from, Fault::BadAnswer);
                }
                if let Some(want) = self.sync.wanted.get_mut(&hash) {
                    want.asked.retain(|asked| *asked != id);
                }
            }
        }
        true
    }

    /// A block that was asked for, or that came with a checked proposal.
    pub(super) fn on_block(
        &mut self,
        hash: Digest,
        block: Arc<Block>,
        from: ValidatorIndex,
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        let needed = self.needed_blocks();
        match self.chain.insert(hash, Arc::clone(&block), &needed) {
            Ok(()) => self.on_block_taken(hash, lanes, ctx),
            Err(NotTaken::NoParent) => {
                let (height, _) = self.chain.head();
                let useful = block.header.height > height.next();
                if useful && self.sync.orphans.len() < WANTED_MAX {
                    let parent = block.header.parent;
                    self.sync.orphans.insert(hash, block);
                    self.want_block(parent, &[from], ctx);
                }
            }
            Err(NotTaken::DoesNotFollow | NotTaken::Frontier(_)) => {}
        }
    }

    /// A block joined the chain: so may those that waited for it, and what waited for them.
    pub(super) fn on_block_taken(
        &mut self,
        hash: Digest,
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        let mut taken = vec![hash];
        while let Some(parent) = taken.pop() {
            let child = |(_, block): &(&Digest, &Arc<Block>)| block.header.parent == parent;
            let children: Vec<Digest> =
                self.sync.orphans.iter().filter(child).map(|(hash, _)| *hash).collect();
            for hash in children {
                let Some(block) = self.sync.orphans.remove(&hash) else { continue };
                let needed = self.needed_blocks();
                if self.chain.insert(hash, block, &needed).is_ok() {
                    taken.push(hash);
                }
            }
        }
        if let Some(target) = self.sync.target.clone() {
            self.commit(&target, lanes, ctx);
        }
        if let Some(wish) = self.sync.commit_wish.clone()
            && self.chain.get(&wish.vote.block).is_some()
        {
            self.sync.commit_wish = None;
            self.try_commit_vote(&wish, ctx);
        }
        self.retry(lanes, ctx);
    }

    /// A member asks for what storage or the chain here may hold.
    pub(crate) fn on_request(
        &mut self,
        from: ValidatorIndex,
        token: RequestToken,
        request: Request,
        ctx: &mut Context<'_>,
    ) {
        if let Request::Block { hash } = &request
            && let Some(block) = self.chain.block(hash)
        {
            let block = Some(Arc::clone(block));
            ctx.emit(Output::Respond(from, token, Response::Block { block }));
            return;
        }
        // What is not final may be stored nowhere yet.
        let (head, _) = self.chain.head();
        if let Request::Ancestors { tip, above } = &request
            && self.chain.get(tip).is_some_and(|place| place.height > head)
        {
            let find = |hash: &Digest| Ok::<_, Infallible>(self.chain.block(hash).map(Arc::clone));
            let Ok(response) = Response::ancestors(tip, *above, find);
            ctx.emit(Output::Respond(from, token, response));
            return;
        }
        ctx.emit(Output::Serve(from, token, request));
    }
}
