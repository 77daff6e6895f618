//! Catching up with the final chain: forwards by pieces that end at a certificate, and where one
//! certificate covers more than a piece, downwards by hash. (Rules S2 to S5.)
//!
//! # Invariants
//! One question for the chain is out at a time. Nothing of an answer is kept that is not proven by
//! a checked certificate, or under check.

use super::Agreement;
use super::chain::Commit;
use super::checks::{Waiting, entry};
use super::descent::Descent;
use super::sync::Question;
use crate::context::Context;
use crate::lanes::Lanes;
use crate::note::{Fault, Note};
use chorale_types::block::Block;
use chorale_types::certificate::CommitCert;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Height, ValidatorIndex};
use chorale_types::limits::SYNC_COVER_BLOCKS_MAX;
use chorale_types::message::{Request, Response};
use std::sync::Arc;

/// Final blocks that may wait for their batches before more are asked for.
const UNORDERED_MAX: u64 = 256;
/// A gap up to this is closed block by block: peers may not have stored it as final yet.
const SHORT_GAP: u64 = 3;
/// Questions for each other member that a way down may take in a row without a block.
const FRUITLESS_ROUNDS_MAX: usize = 8;

impl Agreement {
    /// S2: asks for the final chain above the head, when a certificate shows that there is one.
    pub(super) fn try_sync(&mut self, lanes: &mut Lanes, ctx: &mut Context<'_>) {
        let Some(target) = self.sync.target.clone() else { return };
        let (height, _) = self.chain.head();
        let gap = target.vote().height.above(height);
        if gap <= SHORT_GAP {
            let signers = self.some_of(&target.as_qc().signers);
            self.want_block(target.vote().block, &signers, ctx);
        }
        let unordered = height.above(self.ordered_height());
        if self.sync.chain_ask.is_some() || unordered > UNORDERED_MAX {
            return;
        }
        if !self.try_finish_piece(lanes, ctx) {
            self.ask_chain(height, ctx);
        }
    }

    fn ask_chain(&mut self, head: Height, ctx: &mut Context<'_>) {
        self.try_descend(ctx);
        let down = self.sync.descent.as_ref().and_then(Descent::next);
        let (peer, request, question) = match down {
            Some((_, tip)) => {
                let request = Request::Ancestors { tip, above: head };
                (self.sync.peer(), request, Question::Ancestors(tip))
            }
            None => {
                let request = Request::Chain { from: head.next() };
                (self.sync.unasked_peer(), request, Question::Chain)
            }
        };
        if let Some(peer) = peer {
            self.sync.chain_ask = Some((ctx.ask(peer, request), question));
        }
    }

    /// S4: when nobody has more than a cover, the lowest one is gone down from.
    fn try_descend(&mut self, ctx: &mut Context<'_>) {
        if self.sync.descent.is_some() || !self.sync.all_were_asked() {
            return;
        }
        self.sync.asked = self.set.no_signers();
        if let Some(cover) = self.sync.cover.take() {
            ctx.note(Note::WentDown { from: cover.vote().height, to: self.chain.head().0 });
            self.sync.descent = Some(Descent::new(cover));
        }
    }

    /// An answer to the question for the chain.
    pub(super) fn on_chain_response(
        &mut self,
        from: ValidatorIndex,
        (question, response): (Question, Option<&Response>),
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        match (question, response) {
            (Question::Ancestors(tip), Some(Response::Ancestors { blocks })) => {
                self.on_ancestors(from, (tip, blocks), lanes, ctx);
                return;
            }
            (Question::Chain, Some(Response::Chain { blocks, cert })) => {
                self.sync.asked.insert(from);
                match cert.clone().map(Arc::new) {
                    Some(cert) if blocks.is_empty() => self.on_cover(from, cert, lanes, ctx),
                    Some(cert) => self.on_piece(from, (blocks, cert), lanes, ctx),
                    None => {}
                }
                return;
            }
            (_, Some(_)) => ctx.report(from, Fault::BadAnswer),
            (_, None) => {}
        }
        match question {
            Question::Chain => drop(self.sync.asked.insert(from)),
            Question::Ancestors(_) => self.on_fruitless(),
        }
    }

    /// S3: a piece of the final chain must start at the head, be linked, and end at a checked
    /// certificate; then all of it is final.
    fn on_piece(
        &mut self,
        from: ValidatorIndex,
        (blocks, cert): (&[Arc<Block>], Arc<CommitCert>),
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        if !self.is_linked(blocks, &cert) {
            // The head may have moved on while the answer was on its way.
            let (height, _) = self.chain.head();
            if blocks.first().is_some_and(|block| block.header.height > height) {
                ctx.report(from, Fault::BadAnswer);
            }
            return;
        }
        let certs = vec![entry(cert.as_qc())];
        let message = Waiting::Chain(blocks.to_vec(), cert);
        if let Some(message) = self.checks.hold(&self.set, from, message, (Vec::new(), certs), ctx)
        {
            self.on_good(from, message, lanes, ctx);
        }
    }

    fn is_linked(&self, blocks: &[Arc<Block>], cert: &CommitCert) -> bool {
        let (mut height, mut parent) = self.chain.head();
        for block in blocks {
            let header = &block.header;
            let follows = header.parent == parent && header.height == height.next();
            if !follows || block.validate().is_err() {
                return false;
            }
            (height, parent) = (header.height, block.hash());
        }
        cert.vote().block == parent && cert.vote().height == height
    }

    /// A linked piece of the chain whose certificate is good.
    pub(super) fn on_good_chain(
        &mut self,
        blocks: Vec<Arc<Block>>,
        cert: &Arc<CommitCert>,
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        let (before, _) = self.chain.head();
        for block in blocks {
            let hash = block.hash();
            if block.header.height > before && self.chain.insert(hash, block, &[hash]).is_err() {
                return;
            }
        }
        self.on_commit_cert(cert, lanes, ctx);
        self.go_on(before, lanes, ctx);
    }

    /// Asks on, if the head rose above `before`. Only this starts a round of questions anew.
    fn go_on(&mut self, before: Height, lanes: &mut Lanes, ctx: &mut Context<'_>) {
        let (after, head) = self.chain.head();
        if after > before {
            self.sync.asked = self.set.no_signers();
            self.sync.cover = None;
            ctx.note(Note::CaughtUp { from: before, to: after });
            self.on_block_taken(head, lanes, ctx);
            self.try_sync(lanes, ctx);
        }
    }

    /// A certificate that is said to cover the next block.
    fn on_cover(
        &mut self,
        from: ValidatorIndex,
        cert: Arc<CommitCert>,
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        if cert.vote().epoch != self.set.epoch() {
            ctx.report(from, Fault::WrongContext);
            return;
        }
        let (head, _) = self.chain.head();
        let above = cert.vote().height.above(head);
        if above > SYNC_COVER_BLOCKS_MAX {
            ctx.note(Note::Dropped { what: "certificate too far above the head", from });
            return;
        }
        if above == 0 {
            return;
        }
        let certs = vec![entry(cert.as_qc())];
        let held = self.checks.hold(&self.set, from, Waiting::Cover(cert), (vec![], certs), ctx);
        if let Some(message) = held {
            self.on_good(from, message, lanes, ctx);
        }
    }

    /// S4: of covers that check the lowest is kept.
    pub(super) fn on_good_cover(
        &mut self,
        cert: &Arc<CommitCert>,
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        let (height, (head, _)) = (cert.vote().height, self.chain.head());
        let lowest = self.sync.cover.as_ref().is_none_or(|cover| height < cover.vote().height);
        if lowest && height > head {
            self.sync.cover = Some(Arc::clone(cert));
        }
        self.on_commit_cert(cert, lanes, ctx);
        self.try_sync(lanes, ctx);
    }

    /// S4: blocks of the way down, each named by the one above it.
    fn on_ancestors(
        &mut self,
        from: ValidatorIndex,
        (tip, blocks): (Digest, &[Arc<Block>]),
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        let (head, _) = self.chain.head();
        let Some(descent) = &mut self.sync.descent else { return };
        if descent.next().is_none_or(|(_, next)| next != tip) {
            // The head moved, and the way with it, while the answer was on its way.
            return;
        }
        let mut taken = false;
        for block in blocks {
            if descent.next().is_none_or(|(height, _)| height <= head) {
                break;
            }
            if descent.take(block).is_err() {
                ctx.report(from, Fault::BadAnswer);
                break;
            }
            taken = true;
        }
        if taken {
            descent.fruitless = 0;
            self.try_sync(lanes, ctx);
        } else {
            self.on_fruitless();
        }
    }

    /// S5: nobody had a block of the way down.
    fn on_fruitless(&mut self) {
        let most = self.sync.others().saturating_mul(FRUITLESS_ROUNDS_MAX);
        if let Some(descent) = &mut self.sync.descent {
            descent.fruitless = descent.fruitless.saturating_add(1);
            if descent.fruitless >= most {
                self.sync.descent = None;
            }
        }
    }

    /// S4: makes final what the way down brought, once it came down to the head.
    fn try_finish_piece(&mut self, lanes: &mut Lanes, ctx: &mut Context<'_>) -> bool {
        let (before, head) = self.chain.head();
        let Some(descent) = &mut self.sync.descent else { return false };
        let cert = Arc::clone(descent.cert());
        let Some(blocks) = descent.finish(before) else { return false };
        let through = blocks.last().map(|block| (block.header.height, block.hash()));
        let parent = blocks.first().map(|block| block.header.parent);
        if parent.is_some_and(|parent| parent != head) {
            self.sync.descent = None;
            self.on_conflict(&cert, lanes, ctx);
            return false;
        }
        for block in blocks {
            let hash = block.hash();
            if self.chain.insert(hash, block, &[hash]).is_err() {
                // Unless a third of the stake is faulty, what is final follows the rules.
                self.sync.descent = None;
                return false;
            }
        }
        let through = through.expect("a piece holds its mark");
        if let Commit::Done(blocks) = self.chain.commit_through(through, &cert) {
            self.on_final(blocks, lanes, ctx);
        }
        self.go_on(before, lanes, ctx);
        true
    }
}
