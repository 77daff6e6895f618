//! Signs what the replica may say, encodes and sends it: the one thread where this node's secret
//! keys are used to speak.
//!
//! # Invariants
//! - Only what was released after its record became durable comes here; statements of one rank
//!   leave in the order of their release.
//! - A signed statement goes to the network first and to the replica second, as the same bytes.

use crate::inbox::Inbox;
use crate::keys::NodeKeys;
use crate::queue::{Rank, RankedQueue};
use crate::recorder::Recorder;
use crate::wire::{Outbound, class_of};
use bytes::Bytes;
use chorale_consensus::Input;
use chorale_consensus::output::{Recipients, Statement};
use chorale_types::codec::Encode;
use chorale_types::crypto::bls::Bls;
use chorale_types::crypto::fast::Fast;
use chorale_types::crypto::hash::Digest;
use chorale_types::message::{AckMessage, Message, Proposal, RescueMessage, VoteMessage};
use chorale_types::vote::TimeoutVote;
use std::sync::Arc;

/// Statements on their way. Bounded by the replica: a few a view and member.
pub type Outbox = RankedQueue<(Recipients, Statement)>;

/// The rank of a statement: what agreement waits for goes before data.
#[must_use]
pub const fn rank_of(statement: &Statement) -> Rank {
    match statement {
        Statement::Vote(_) | Statement::Timeout(_) | Statement::Proposal(_) => Rank::First,
        Statement::Message(message) => match message {
            Message::Batch(_) | Message::LaneStatus(_) => Rank::Second,
            Message::Proposal(_)
            | Message::Vote(_)
            | Message::Timeout(_)
            | Message::Entry(_)
            | Message::Commit(_)
            | Message::Ack(_)
            | Message::Availability(_)
            | Message::Rescue(_) => Rank::First,
        },
        Statement::Acknowledge(_) | Statement::Rescue(_) => Rank::Second,
    }
}

/// Signs for one chain.
pub struct Signer {
    keys: Arc<NodeKeys>,
    chain: Digest,
}

impl Signer {
    /// Signs with these keys.
    #[must_use]
    pub const fn new(keys: Arc<NodeKeys>, chain: Digest) -> Self {
        Self { keys, chain }
    }

    /// The message to send, and whether it was signed here.
    fn sign(&self, statement: Statement) -> (Message, bool) {
        let network = &self.keys.network;
        let message = match statement {
            Statement::Message(message) => return (message, false),
            Statement::Vote(cleared) => {
                let one = cleared.into_statement();
                let bytes = one.vote.signing_bytes(one.kind, &self.chain);
                Message::Vote(VoteMessage {
                    kind: one.kind,
                    vote: one.vote,
                    signature: Fast::sign(&self.keys.bls, &bytes),
                    ordered_height: one.ordered_height,
                })
            }
            Statement::Timeout(cleared) => {
                let one = cleared.into_statement();
                let vote = TimeoutVote {
                    epoch: one.high_qc.vote.epoch,
                    view: one.view,
                    high_qc_view: one.high_qc.vote.view,
                    tip: one.tip,
                };
                let signature = Fast::sign(&self.keys.bls, &vote.signing_bytes(&self.chain));
                Message::Timeout(Arc::new(one.signed(signature)))
            }
            Statement::Proposal(cleared) => {
                let unsigned = cleared.into_statement();
                let signature = network.sign(&unsigned.vote().signing_bytes(&self.chain));
                Message::Proposal(Arc::new(Proposal { signature, ..unsigned }))
            }
            Statement::Acknowledge(statement) => {
                let signature = network.sign(&statement.signing_bytes(&self.chain));
                Message::Ack(AckMessage { statement, signature })
            }
            Statement::Rescue(signed) => {
                let statement = signed.header.acknowledgement();
                Message::Rescue(RescueMessage {
                    header: signed.header,
                    owner_signature: signed.signature,
                    signature: network.sign(&statement.signing_bytes(&self.chain)),
                })
            }
        };
        (message, true)
    }
}

/// Signs and sends until the outbox is closed and empty.
pub fn run(
    outbox: &Outbox,
    signer: &Signer,
    outbound: &Outbound,
    inbox: &Inbox,
    recorder: Option<&Recorder>,
) {
    while let Some((to, statement)) = outbox.pop() {
        let (message, own) = signer.sign(statement);
        let bytes = Bytes::from(message.to_bytes());
        if let Some(recorder) = recorder.filter(|_| own) {
            recorder.statement(&bytes);
        }
        outbound.send(to, class_of(&message), bytes);
        if own {
            inbox.urgent(Input::Own(message));
        }
    }
}

#[cfg(test)]
mod tests;
