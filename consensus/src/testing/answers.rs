//! Questions between members, answered by the asked replica or, where it says so, from what it
//! stored.

use super::Committee;
use crate::input::{AskId, Input, RequestToken};
use crate::output::Output;
use chorale_types::batch::BatchId;
use chorale_types::block::Block;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Height, LaneSeq, ValidatorIndex};
use chorale_types::limits::SYNC_BLOCKS_MAX;
use chorale_types::message::{Request, Response, SignedHeader};
use core::time::Duration;
use std::convert::Infallible;
use std::sync::Arc;

/// How long an asker waits for an answer that does not come.
const PATIENCE: Duration = Duration::from_millis(500);

impl Committee {
    /// Asks now, and hands over the answer two links later; none comes from a member that is down.
    pub(super) fn ask(
        &mut self,
        me: ValidatorIndex,
        (to, id): (ValidatorIndex, AskId),
        request: &Request,
    ) {
        let passes = (self.ask_filter)(me, to, request);
        let response = if passes { self.answer(me, to, request) } else { None };
        let response = response.and_then(|given| (self.answer_filter)(me, to, request, given));
        let after = if response.is_some() { self.delay * 2 } else { PATIENCE };
        self.inject(me, Input::Response { from: to, id, response }, after);
    }

    fn answer(
        &mut self,
        asker: ValidatorIndex,
        of: ValidatorIndex,
        request: &Request,
    ) -> Option<Response> {
        let now = self.now();
        let token = RequestToken(0);
        let input = Input::Request { from: asker, token, request: request.clone() };
        let mut response = None;
        let mut others = Vec::new();
        for output in self.replicas[of.as_usize()].as_mut()?.step(now, input) {
            match output {
                Output::Respond(_, _, answer) => response = Some(answer),
                Output::Serve(_, _, request) => response = Some(self.stored(of, &request)),
                other => others.push(other),
            }
        }
        self.perform(of, others);
        response
    }

    /// The answer from storage.
    fn stored(&self, of: ValidatorIndex, request: &Request) -> Response {
        match request {
            Request::Chain { from } => self.stored_chain(of, *from),
            Request::Ancestors { tip, above } => {
                let find = |hash: &Digest| Ok::<_, Infallible>(self.stored_block(of, hash));
                let Ok(response) = Response::ancestors(tip, *above, find);
                response
            }
            Request::Block { hash } => Response::Block { block: self.stored_block(of, hash) },
            Request::Batches { ids } => {
                let store = &self.stores[of.as_usize()];
                let batches = ids.iter().filter_map(|id| store.get(&id.digest).cloned()).collect();
                Response::Batches { batches }
            }
            Request::Headers { tip, above } => self.stored_headers(of, *tip, *above),
            Request::Availability { .. } => Response::Availability { cert: None },
        }
    }

    /// Final blocks from a height, up to the last one in reach that has a certificate of its own;
    /// where none has, the certificate that covers the first.
    fn stored_chain(&self, of: ValidatorIndex, from: Height) -> Response {
        let committed = &self.committed[of.as_usize()];
        let wanted = committed.iter().skip_while(|block| block.block.header.height < from);
        let mut piece: Vec<_> = wanted.take(SYNC_BLOCKS_MAX).collect();
        let cover = piece.first().map(|block| (*block.cert).clone());
        while piece.last().is_some_and(|block| block.cert.vote().block != block.hash) {
            piece.pop();
        }
        let cert = piece.last().map(|block| (*block.cert).clone()).or(cover);
        Response::Chain { blocks: piece.iter().map(|block| block.block.clone()).collect(), cert }
    }

    fn stored_block(&self, of: ValidatorIndex, hash: &Digest) -> Option<Arc<Block>> {
        let last = self.committed[of.as_usize()].iter().rev().find(|block| block.hash == *hash);
        let candidates = &self.disks[of.as_usize()].uncommitted;
        let block = last.map(|block| block.block.clone());
        block.or_else(|| candidates.iter().find(|block| block.hash() == *hash).cloned())
    }

    fn stored_headers(&self, of: ValidatorIndex, tip: BatchId, above: LaneSeq) -> Response {
        let store = &self.stores[of.as_usize()];
        let (mut headers, mut at) = (Vec::new(), tip.digest);
        while let Some(batch) = store.get(&at).filter(|batch| batch.header.seq > above) {
            let signature = batch.owner_signature;
            headers.push(SignedHeader { header: batch.header, signature });
            at = batch.header.prev;
        }
        Response::Headers { headers }
    }
}
