//! Fetch: our requests, other peers' requests, and the answers to both.

use std::sync::Arc;

use bytes::Bytes;
use libp2p::PeerId;
use libp2p::request_response::{self, InboundRequestId, Message, ResponseChannel};

use super::Driver;
use crate::error::FetchError;
use crate::events::{Event, try_pay};
use crate::fetch::{self, Pending, Reply, ResponseToken};
use crate::limits::{REQUESTS_PER_FOLLOWER_MAX, REQUESTS_PER_PEER_MAX};
use crate::network::Request;

impl Driver {
    pub(super) fn request(&mut self, request: Request) {
        let Request { peer, bytes, pending } = request;
        if !self.swarm.is_connected(&peer.id) {
            self.answer(pending, Err(FetchError::NotConnected));
            return;
        }
        let id = self.swarm.behaviour_mut().fetch.send_request(&peer.id, bytes);
        self.exchanges.ours.insert(id, pending);
    }

    pub(super) fn respond(&mut self, channel: ResponseChannel<Reply>, bytes: Bytes) {
        // Too late is no error: who asked has been told.
        let _ = self.swarm.behaviour_mut().fetch.send_response(channel, Reply::Answer(bytes));
    }

    /// Tells the application how a request of ours ended.
    fn answer(&self, pending: Pending, result: Result<Bytes, FetchError>) {
        let Pending { request, to, slot } = pending;
        let event = Event::Response { from: to, request, result };
        // Nobody to tell once the application has stopped listening.
        let _ = self.context.events.put(event, Some(slot));
    }

    pub(super) fn on_fetch_event(&mut self, event: fetch::Event) {
        match event {
            request_response::Event::Message { peer, message, .. } => match message {
                Message::Request { request_id, request, channel } => {
                    self.on_request(peer, request_id, request, channel);
                }
                Message::Response { request_id, response } => {
                    let Some(pending) = self.exchanges.ours.remove(&request_id) else { return };
                    let result = match response {
                        Reply::Answer(bytes) => Ok(bytes),
                        Reply::Busy => Err(FetchError::Busy),
                    };
                    self.answer(pending, result);
                }
            },
            request_response::Event::OutboundFailure { request_id, error, .. } => {
                if let Some(pending) = self.exchanges.ours.remove(&request_id) {
                    self.answer(pending, Err(fetch::failure(&error)));
                }
            }
            request_response::Event::InboundFailure { request_id, .. }
            | request_response::Event::ResponseSent { request_id, .. } => {
                self.exchanges.finish(&request_id);
            }
        }
    }

    fn on_request(
        &mut self,
        asker: PeerId,
        id: InboundRequestId,
        bytes: Bytes,
        channel: ResponseChannel<Reply>,
    ) {
        let roster = self.shared.directory.get();
        let member = roster.by_id(&asker);
        let (max, budget) = match member {
            Some(peer) => (REQUESTS_PER_PEER_MAX, &peer.budget),
            None => (REQUESTS_PER_FOLLOWER_MAX, &self.shared.followers),
        };
        let admitted = self.exchanges.admit(asker, id, max);
        let paid = if admitted { try_pay(&Arc::clone(budget), bytes.len()) } else { None };
        let Some(paid) = paid else {
            self.context.metrics.busy.inc();
            let _ = self.swarm.behaviour_mut().fetch.send_response(channel, Reply::Busy);
            return;
        };
        let token = ResponseToken { channel };
        let event = Event::Request { from: member.map(|peer| peer.index), token, bytes };
        let _ = self.context.events.put(event, Some(paid));
    }
}
