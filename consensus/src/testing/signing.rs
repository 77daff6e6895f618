//! Signatures that are only marked: every vote and certificate is good but one with [`garbage`],
//! and aggregates of too little stake are not made.

use super::garbage;
use crate::job::{Check, Verdict, Work};
use crate::output::Statement;
use chorale_types::crypto::bls::BlsSignature;
use chorale_types::crypto::ed25519::Signature;
use chorale_types::ids::ValidatorIndex;
use chorale_types::message::{AckMessage, Message, RescueMessage, SignedHeader, VoteMessage};
use std::sync::Arc;

/// The outcome of a check.
pub(super) fn check(work: &Work) -> Verdict {
    let aggregate = Some(BlsSignature::from_bytes([2; 96]));
    let bad = |shares: Vec<(ValidatorIndex, BlsSignature)>| {
        shares.into_iter().filter(|(_, s)| *s == garbage()).map(|(index, _)| index).collect()
    };
    match work {
        Work::All(checks) => {
            let bad = |check: &Check| match check {
                Check::Entry(cert) => cert.qc().signature == garbage(),
                _ => false,
            };
            Verdict::All { good: !checks.iter().any(bad) }
        }
        Work::Votes { shares, .. } => Verdict::Shares { bad: bad(shares.clone()), aggregate },
        Work::Timeouts { shares } => {
            let shares = shares.iter().map(|(index, _, signature)| (*index, *signature)).collect();
            Verdict::Shares { bad: bad(shares), aggregate }
        }
        Work::Acks { .. } => Verdict::Shares { bad: Vec::new(), aggregate: None },
    }
}

/// The message of a statement.
pub(super) fn sign(statement: Statement) -> Message {
    let bls = BlsSignature::from_bytes([1; 96]);
    let ed = Signature::from_bytes([1; 64]);
    match statement {
        Statement::Message(message) => message,
        Statement::Vote(cleared) => {
            let vote = cleared.into_statement();
            Message::Vote(VoteMessage {
                kind: vote.kind,
                vote: vote.vote,
                signature: bls,
                ordered_height: vote.ordered_height,
            })
        }
        Statement::Timeout(cleared) => {
            Message::Timeout(Arc::new(cleared.into_statement().signed(bls)))
        }
        Statement::Proposal(cleared) => Message::Proposal(Arc::new(cleared.into_statement())),
        Statement::Acknowledge(statement) => Message::Ack(AckMessage { statement, signature: ed }),
        Statement::Rescue(SignedHeader { header, signature }) => {
            Message::Rescue(RescueMessage { header, owner_signature: signature, signature: ed })
        }
    }
}
