//! A member whose signatures are often wrong.

use super::Outgoing;
use crate::rng::Rng;
use chorale_types::crypto::bls::BlsSignature;
use chorale_types::crypto::ed25519::Signature;
use chorale_types::message::Message;
use std::sync::Arc;

pub(super) fn tamper(out: &mut [Outgoing], chance: u32, rng: &mut Rng) {
    for (_, _, message) in out {
        if !rng.chance(chance) {
            continue;
        }
        let at = rng.index(20);
        match message {
            Message::Proposal(proposal) => {
                let proposal = Arc::make_mut(proposal);
                proposal.signature = spoil_network(&proposal.signature, at);
            }
            Message::Vote(vote) => vote.signature = spoil(&vote.signature, at),
            Message::Timeout(timeout) => {
                let timeout = Arc::make_mut(timeout);
                timeout.signature = spoil(&timeout.signature, at);
            }
            Message::Entry(_) => {}
            Message::Commit(_) => {}
            Message::Batch(batch) => {
                let batch = Arc::make_mut(batch);
                batch.owner_signature = spoil_network(&batch.owner_signature, at);
            }
            Message::Ack(ack) => ack.signature = spoil_network(&ack.signature, at),
            Message::Availability(cert) => {
                if let Some(signature) = Arc::make_mut(cert).signatures.first_mut() {
                    *signature = spoil_network(signature, at);
                }
            }
            Message::Rescue(rescue) => {
                rescue.signature = spoil_network(&rescue.signature, at);
            }
            Message::LaneStatus(status) => status.acknowledged = status.acknowledged.next(),
        }
    }
}

fn spoil(signature: &BlsSignature, at: usize) -> BlsSignature {
    let mut bytes = *signature.as_bytes();
    bytes[at] ^= 1;
    BlsSignature::from_bytes(bytes)
}

fn spoil_network(signature: &Signature, at: usize) -> Signature {
    let mut bytes = *signature.as_bytes();
    bytes[at] ^= 1;
    Signature::from_bytes(bytes)
}
