//! One of each message, with every optional part present somewhere.

use chorale_types::batch::{Availability, Batch, BatchEntry, BatchHeader, LaneTip};
use chorale_types::block::{Block, Body, Header, VERSION};
use chorale_types::certificate::{CommitCert, EntryCert, QuorumCert, TimeoutCert, TimeoutGroup};
use chorale_types::crypto::bitmap::SignerSet;
use chorale_types::crypto::bls::BlsSignature;
use chorale_types::crypto::ed25519::Signature;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Epoch, Height, LaneId, LaneSeq, RollupId, ValidatorIndex, View};
use chorale_types::message::{
    AckMessage, LaneStatus, Message, Proposal, ProposalKind, Request, RescueMessage, Response,
    SignedHeader, VoteMessage,
};
use chorale_types::time::Timestamp;
use chorale_types::transaction::transaction_id;
use chorale_types::vote::{Timeout, Vote, VoteKind};
use std::sync::Arc;

fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

fn bls(byte: u8) -> BlsSignature {
    BlsSignature::from_bytes([byte; 96])
}

fn ed(byte: u8) -> Signature {
    Signature::from_bytes([byte; 64])
}

pub(crate) fn signers(of: &[u16]) -> SignerSet {
    let mut set = SignerSet::new(4);
    for index in of {
        assert!(set.insert(ValidatorIndex::new(*index)));
    }
    set
}

pub(crate) fn vote(view: u64) -> Vote {
    let (epoch, view, height) = (Epoch::new(1), View::new(view), Height::new(7));
    Vote { epoch, view, height, block: digest(0xb1) }
}

pub(crate) fn qc(kind: VoteKind, view: u64) -> QuorumCert {
    QuorumCert { kind, vote: vote(view), signers: signers(&[0, 1, 3]), signature: bls(0x51) }
}

fn cc() -> CommitCert {
    CommitCert::new(qc(VoteKind::Commit, 8)).expect("of commit kind")
}

pub(crate) fn tc() -> TimeoutCert {
    let group = |view: u64, tip: Option<u64>, of: &[u16]| TimeoutGroup {
        high_qc_view: View::new(view),
        tip: tip.map(|view| vote(view).tip()),
        signers: signers(of),
    };
    TimeoutCert {
        epoch: Epoch::new(1),
        view: View::new(9),
        groups: vec![group(7, None, &[2]), group(8, Some(9), &[0, 1])],
        signature: bls(0x52),
        high_qc: qc(VoteKind::Prepare, 8),
    }
}

fn header() -> BatchHeader {
    let lane = LaneId { epoch: Epoch::new(1), owner: ValidatorIndex::new(2) };
    let root = Batch::root(&entries());
    BatchHeader { lane, seq: LaneSeq::new(3), prev: digest(0xa0), root, bytes_through: 4_062 }
}

fn entries() -> Vec<BatchEntry> {
    let entry = |rollup: u64, payloads: &[&[u8]]| BatchEntry {
        rollup: RollupId::new(rollup),
        transactions: payloads.iter().copied().collect(),
    };
    vec![entry(5, &[b"one", b"two"]), entry(9, &[b"three"])]
}

pub(crate) fn batch() -> Batch {
    Batch { header: header(), owner_signature: ed(0xe1), entries: entries() }
}

pub(crate) fn availability() -> Availability {
    Availability {
        statement: header().acknowledgement(),
        signers: signers(&[0, 2, 3]),
        signatures: vec![ed(0xe1), ed(0xe2), ed(0xe3)],
    }
}

pub(crate) fn block() -> Block {
    let tip: LaneTip = header().acknowledgement().tip();
    let body = Body::new(vec![tip]);
    let header = Header {
        chain: digest(0xc1),
        version: VERSION,
        epoch: Epoch::new(1),
        epoch_info_hash: digest(0xc2),
        height: Height::new(8),
        orig_view: View::new(9),
        parent: digest(0xb1),
        body_root: body.root(),
        ordered_height: Height::new(5),
        ordered_root: digest(0xc3),
        reveal: None,
        proposer: ValidatorIndex::new(1),
        time: Timestamp::from_millis(1_800_000_000_000),
    };
    Block { header, body }
}

fn proposal(kind: ProposalKind, fresh: bool) -> Message {
    Message::Proposal(Arc::new(Proposal {
        epoch: Epoch::new(1),
        view: View::new(10),
        kind,
        block: fresh.then(|| Arc::new(block())),
        ordered_cert: fresh.then(cc),
        signature: ed(0xf1),
    }))
}

fn timeout() -> Timeout {
    Timeout {
        view: View::new(10),
        high_qc: qc(VoteKind::Prepare, 8),
        tip: Some(vote(9).tip()),
        entry: EntryCert::Tc(tc()),
        prepare: Some((vote(10), bls(0x53))),
        signature: bls(0x54),
    }
}

pub(crate) fn messages() -> Vec<(&'static str, Message)> {
    let parent_qc = qc(VoteKind::Prepare, 8);
    let by = EntryCert::Tc(tc());
    let lane = header().lane;
    vec![
        ("proposal_normal", proposal(ProposalKind::Normal { qc: parent_qc.clone() }, true)),
        ("proposal_optimistic", proposal(ProposalKind::Optimistic { parent: digest(1) }, true)),
        ("proposal_fallback", proposal(ProposalKind::Fallback { tc: tc(), parent_qc }, true)),
        (
            "proposal_repropose",
            proposal(ProposalKind::Repropose { by, block: digest(0xb1) }, false),
        ),
        (
            "proposal_epoch_start",
            proposal(
                ProposalKind::EpochStart {
                    start: QuorumCert::start(Epoch::new(1), Height::ZERO, digest(0xc1)),
                },
                true,
            ),
        ),
        (
            "vote",
            Message::Vote(VoteMessage {
                kind: VoteKind::Prepare,
                vote: vote(10),
                signature: bls(0x55),
                ordered_height: Height::new(4),
            }),
        ),
        ("timeout", Message::Timeout(Arc::new(timeout()))),
        ("entry_qc", Message::Entry(Arc::new(EntryCert::Qc(qc(VoteKind::Commit, 9))))),
        ("entry_tc", Message::Entry(Arc::new(EntryCert::Tc(tc())))),
        ("commit", Message::Commit(Arc::new(cc()))),
        ("batch", Message::Batch(Arc::new(batch()))),
        (
            "ack",
            Message::Ack(AckMessage { statement: header().acknowledgement(), signature: ed(0xe4) }),
        ),
        ("availability", Message::Availability(Arc::new(availability()))),
        (
            "rescue",
            Message::Rescue(RescueMessage {
                header: header(),
                owner_signature: ed(0xe1),
                signature: ed(0xe5),
            }),
        ),
        (
            "lane_status",
            Message::LaneStatus(LaneStatus {
                lane,
                acknowledged: LaneSeq::new(2),
                digest: digest(0xa0),
            }),
        ),
    ]
}

pub(crate) fn requests() -> Vec<(&'static str, Request)> {
    let id = header().id();
    vec![
        ("request_chain", Request::Chain { from: Height::new(3) }),
        ("request_block", Request::Block { hash: digest(0xb1) }),
        ("request_ancestors", Request::Ancestors { tip: digest(0xb1), above: Height::new(3) }),
        ("request_batches", Request::Batches { ids: vec![id, id] }),
        ("request_availability", Request::Availability { id }),
        ("request_headers", Request::Headers { tip: id, above: LaneSeq::new(1) }),
    ]
}

pub(crate) fn responses() -> Vec<(&'static str, Response)> {
    let signed = SignedHeader { header: header(), signature: ed(0xe1) };
    vec![
        ("response_chain", Response::Chain { blocks: vec![Arc::new(block())], cert: Some(cc()) }),
        ("response_chain_empty", Response::Chain { blocks: Vec::new(), cert: None }),
        ("response_chain_cover", Response::Chain { blocks: Vec::new(), cert: Some(cc()) }),
        ("response_ancestors", Response::Ancestors { blocks: vec![Arc::new(block())] }),
        ("response_block", Response::Block { block: Some(Arc::new(block())) }),
        ("response_batches", Response::Batches { batches: vec![Arc::new(batch())] }),
        ("response_availability", Response::Availability { cert: Some(availability()) }),
        ("response_headers", Response::Headers { headers: vec![signed] }),
    ]
}

/// Hashes, and the bytes under signatures.
pub(crate) fn signed() -> Vec<(&'static str, String)> {
    let chain = digest(0xc1);
    let (timeout, batch_header) = (timeout(), header());
    let proposal = match &messages()[0].1 {
        Message::Proposal(proposal) => proposal.vote(),
        _ => unreachable!("the first sample is a proposal"),
    };
    vec![
        ("block_hash", block().hash().to_string()),
        ("body_root", block().body.root().to_string()),
        ("batch_digest", batch_header.digest().to_string()),
        ("batch_root", batch_header.root.to_string()),
        ("transaction_id", transaction_id(RollupId::new(5), b"one").to_string()),
        ("prepare", hex::encode(vote(10).signing_bytes(VoteKind::Prepare, &chain))),
        ("commit", hex::encode(vote(10).signing_bytes(VoteKind::Commit, &chain))),
        ("timeout", hex::encode(timeout.vote().signing_bytes(&chain))),
        ("proposal", hex::encode(proposal.signing_bytes(&chain))),
        ("acknowledgement", hex::encode(batch_header.acknowledgement().signing_bytes(&chain))),
    ]
}
