//! The gossip path: envelopes out while somebody cannot be reached, envelopes in from anybody.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use libp2p::PeerId;
use libp2p::gossipsub::{self, MessageAcceptance};

use super::Driver;
use crate::envelope::{self, Header};
use crate::events::{Event, try_pay};
use crate::gossip::{Verdict, topic};
use crate::metrics::Gossip;

impl Driver {
    /// Signs and sends what waits.
    pub(super) fn publish(&mut self) {
        let topic = topic(&self.shared.names).hash();
        while let Some(unsigned) = self.shared.gossip.pop() {
            let data = envelope::seal(&self.shared.names.chain, &self.key, &unsigned);
            let gossip = &mut self.swarm.behaviour_mut().gossip.inner;
            let outcome = match gossip.publish(topic.clone(), data) {
                Ok(_) => Gossip::Published,
                Err(error) => {
                    // Whoever said it says it again while it matters.
                    tracing::debug!(%error, "not gossiped");
                    Gossip::Unsent
                }
            };
            self.context.metrics.gossip(outcome);
        }
    }

    pub(super) fn on_gossip_event(&mut self, event: gossipsub::Event) {
        let gossipsub::Event::Message { propagation_source, message_id, message } = event else {
            return;
        };
        let acceptance = self.on_envelope(propagation_source, &message.data);
        self.swarm.behaviour_mut().gossip.inner.report_message_validation_result(
            &message_id,
            &propagation_source,
            acceptance,
        );
    }

    fn on_envelope(&mut self, bearer: PeerId, data: &[u8]) -> MessageAcceptance {
        let roster = self.shared.directory.get();
        let (chain, now) = (&self.shared.names.chain, self.now());
        match self.judge.judge(chain, &roster, bearer, data, now) {
            Verdict::Genuine(header, message) => {
                let outcome = self.hand_up(&header, message);
                self.context.metrics.gossip(outcome);
                MessageAcceptance::Accept
            }
            Verdict::Own => MessageAcceptance::Ignore,
            Verdict::Throttled => {
                self.context.metrics.gossip(Gossip::Throttled);
                MessageAcceptance::Ignore
            }
            Verdict::Reject => {
                self.context.metrics.gossip(Gossip::Refused);
                MessageAcceptance::Reject
            }
        }
    }

    /// Gives the application a message for this node, unless its sender's own stream lives and
    /// brings it anyway.
    fn hand_up(&self, header: &Header, message: &[u8]) -> Gossip {
        let roster = self.shared.directory.get();
        let for_us = header.to.is_none() || header.to == roster.me;
        let Some(sender) = roster.peers.get(&header.sender).filter(|_| for_us) else {
            return Gossip::Relayed;
        };
        let health = &sender.health;
        let streams = health.inbound.load(Ordering::Relaxed) > 0;
        if streams && health.heard_within(self.context.timing.view_timeout, self.now()) {
            return Gossip::Relayed;
        }
        let Some(paid) = try_pay(&sender.budget, message.len()) else {
            return Gossip::Overflowed;
        };
        let bytes = Bytes::copy_from_slice(message);
        let event = Event::Message { from: header.sender, class: header.class, bytes };
        let _ = self.context.events.put(event, Some(paid));
        Gossip::Delivered
    }
}
