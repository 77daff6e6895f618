use super::*;
use chorale_types::batch::Batch;
use chorale_types::certificate::QuorumCert;
use chorale_types::crypto::bls::BlsPublicKey;
use chorale_types::crypto::ed25519::SecretKey;
use chorale_types::crypto::fast::Secret;
use chorale_types::crypto::hash::Digest;
use chorale_types::genesis::Params;
use chorale_types::ids::{Height, LaneId, LaneSeq, View};
use chorale_types::validators::{EpochInfo, Validator};
use chorale_types::vote::{TimeoutVote, Vote, VoteKind};
use std::sync::Arc;

const MEMBERS: u16 = 7;
/// The member whose key is the opposite of the one before it.
const OPPOSITE: u16 = 5;
const CHAIN: Digest = Digest::from_bytes([9; 32]);
const SIGN_FLAG: u8 = 0x20;

fn secret(member: u16) -> Secret {
    let member = if member == OPPOSITE { OPPOSITE - 1 } else { member };
    Fast::secret_from_seed(&[u8::try_from(member).unwrap() + 1; 32])
}

fn network(member: u16) -> SecretKey {
    SecretKey::from_seed([u8::try_from(member).unwrap() + 1; 32])
}

fn flip<const N: usize>(bytes: &[u8; N]) -> [u8; N] {
    let mut bytes = *bytes;
    bytes[0] ^= SIGN_FLAG;
    bytes
}

fn sign(member: u16, message: &[u8]) -> BlsSignature {
    let signature = Fast::sign(&secret(member), message);
    match member {
        OPPOSITE => BlsSignature::from_bytes(flip(signature.as_bytes())),
        _ => signature,
    }
}

fn set() -> ValidatorSet {
    let validator = |member: u16| {
        let key = Fast::public(&secret(member));
        let opposite = BlsPublicKey::from_bytes(flip(key.as_bytes()));
        Validator {
            operator: network(member).public(),
            bls: if member == OPPOSITE { opposite } else { key },
            network: network(member).public(),
            stake: 1,
        }
    };
    let info = EpochInfo {
        epoch: Epoch::new(1),
        first_height: Height::new(1),
        last_height: Height::MAX,
        validators: (0..MEMBERS).map(validator).collect(),
        seed: Digest::ZERO,
        params: Params::default(),
    };
    ValidatorSet::new(CHAIN, info, CHAIN)
}

fn judge() -> Judge {
    Judge::new(&set()).unwrap()
}

fn vote() -> Vote {
    let block = Digest::from_bytes([3; 32]);
    Vote { epoch: Epoch::new(1), view: View::new(4), height: Height::new(2), block }
}

fn index(member: u16) -> ValidatorIndex {
    ValidatorIndex::new(member)
}

/// Prepare votes of `members`, those of `bad` over something else.
fn votes(members: &[u16], bad: &[u16]) -> Work {
    let good = vote().signing_bytes(VoteKind::Prepare, &CHAIN);
    let shares = members.iter().map(|member| {
        let message = if bad.contains(member) { b"another".to_vec() } else { good.clone() };
        (index(*member), sign(*member, &message))
    });
    Work::Votes { kind: VoteKind::Prepare, vote: vote(), shares: shares.collect() }
}

fn verdict(work: &Work) -> (Vec<u16>, Option<BlsSignature>) {
    match judge().judge(work) {
        Verdict::Shares { bad, aggregate } => {
            (bad.into_iter().map(ValidatorIndex::get).collect(), aggregate)
        }
        other @ Verdict::All { .. } => panic!("{other:?}"),
    }
}

/// Whether an aggregate makes a certificate of exactly these members.
fn certifies(aggregate: Option<BlsSignature>, members: &[u16]) -> bool {
    let message = vote().signing_bytes(VoteKind::Prepare, &CHAIN);
    let keys: Vec<_> = members.iter().map(|member| judge().keys[usize::from(*member)]).collect();
    let keys: Vec<_> = keys.iter().collect();
    aggregate.is_some_and(|sum| Fast::verify_same(&keys, &message, &sum).is_ok())
}

#[test]
fn good_shares_give_a_certificate_that_verifies() {
    let (bad, aggregate) = verdict(&votes(&[0, 1, 2, 3, 6], &[]));
    assert!(bad.is_empty());
    let mut signers = set().no_signers();
    for member in [0, 1, 2, 3, 6] {
        signers.insert(index(member));
    }
    let qc = QuorumCert {
        kind: VoteKind::Prepare,
        vote: vote(),
        signers,
        signature: aggregate.unwrap(),
    };
    assert_eq!(judge().verifier.verify_qc(&qc), Ok(()));
}

#[test]
fn every_set_of_bad_shares_is_found_and_the_others_are_summed() {
    let members = [0, 1, 2, 3, 6];
    for mask in 0..32_u16 {
        let is_bad = |at: &usize| mask & (1 << at) != 0;
        let of = |bad: bool| -> Vec<u16> {
            (0..5).filter(|at| is_bad(at) == bad).map(|at| members[at]).collect()
        };
        let (bad, aggregate) = verdict(&votes(&members, &of(true)));
        assert_eq!(bad, of(true), "mask {mask:05b}");
        match of(false).as_slice() {
            [] => assert_eq!(aggregate, None),
            good => assert!(certifies(aggregate, good), "mask {mask:05b}"),
        }
    }
}

#[test]
fn bytes_that_are_no_signature_are_their_senders_fault_alone() {
    let Work::Votes { kind, vote, mut shares } = votes(&[0, 1, 2, 3], &[]) else { unreachable!() };
    let mut identity = [0; 96];
    identity[0] = 0xc0;
    for garbage in [[0; 96], [0xff; 96], identity] {
        shares[2].1 = BlsSignature::from_bytes(garbage);
        let work = Work::Votes { kind, vote, shares: shares.clone() };
        let (bad, aggregate) = verdict(&work);
        assert_eq!(bad, [2]);
        assert!(certifies(aggregate, &[0, 1, 3]));
    }
}

#[test]
fn strangers_and_other_epochs_are_bad() {
    let Work::Votes { kind, vote, mut shares } = votes(&[0, 1, 2], &[]) else { unreachable!() };
    shares[1].0 = index(MEMBERS);
    let (bad, aggregate) = verdict(&Work::Votes { kind, vote, shares: shares.clone() });
    assert_eq!(bad, [MEMBERS]);
    assert!(certifies(aggregate, &[0, 2]));
    let vote = Vote { epoch: Epoch::new(2), ..vote };
    assert_eq!(verdict(&Work::Votes { kind, vote, shares }), (vec![0, 2, MEMBERS], None));
    let none = Work::Votes { kind, vote, shares: Vec::new() };
    assert_eq!(verdict(&none), (vec![], None));
}

#[test]
fn owners_of_cancelling_keys_cannot_veto_votes() {
    let (bad, aggregate) = verdict(&votes(&[OPPOSITE - 1, OPPOSITE], &[]));
    assert_eq!(bad, [OPPOSITE]);
    assert!(certifies(aggregate, &[OPPOSITE - 1]));
    let (bad, aggregate) = verdict(&votes(&[0, OPPOSITE - 1, OPPOSITE], &[0]));
    assert_eq!(bad, [0, OPPOSITE]);
    assert!(certifies(aggregate, &[OPPOSITE - 1]));
}

fn timeouts(shares: &[(u16, u64)]) -> Work {
    let share = |(member, high_qc_view): &(u16, u64)| {
        let vote = TimeoutVote {
            epoch: Epoch::new(1),
            view: View::new(4),
            high_qc_view: View::new(*high_qc_view),
            tip: None,
        };
        (index(*member), vote, sign(*member, &vote.signing_bytes(&CHAIN)))
    };
    Work::Timeouts { shares: shares.iter().map(share).collect() }
}

#[test]
fn owners_of_cancelling_keys_cannot_veto_timeouts_by_a_report_of_their_own() {
    // All honest, and the two say something that nobody else says: their group's keys cancel.
    let all = [(0, 3), (1, 3), (2, 2), (OPPOSITE - 1, 1), (OPPOSITE, 1), (6, 3)];
    let (bad, aggregate) = verdict(&timeouts(&all));
    assert_eq!(bad, [OPPOSITE], "no honest member goes, although one has a higher index");
    let left: Vec<_> = all.into_iter().filter(|(member, _)| *member != OPPOSITE).collect();
    assert_eq!(verdict(&timeouts(&left)), (vec![], aggregate));
    assert!(aggregate.is_some());
}

#[test]
fn bad_timeouts_among_several_reports_are_found() {
    let Work::Timeouts { mut shares } = timeouts(&[(0, 3), (1, 3), (2, 2), (3, 1), (6, 3)]) else {
        unreachable!()
    };
    shares[1].2 = shares[0].2;
    shares[3].1.high_qc_view = View::new(0);
    assert_eq!(verdict(&Work::Timeouts { shares }).0, [1, 3]);
}

#[test]
fn errors_of_two_that_cancel_in_the_sum_pass_as_the_sum_that_was_checked() {
    // Both shift their signature by the same point, in opposite directions.
    let message = vote().signing_bytes(VoteKind::Prepare, &CHAIN);
    let shift = sign(0, b"anything");
    let back = BlsSignature::from_bytes(flip(shift.as_bytes()));
    let moved = |member, by| Fast::aggregate(&[sign(member, &message), by]).unwrap();
    let shares = vec![
        (index(1), moved(1, shift)),
        (index(2), moved(2, back)),
        (index(3), sign(3, &message)),
    ];
    let (kind, vote) = (VoteKind::Prepare, vote());
    let (bad, aggregate) = verdict(&Work::Votes { kind, vote, shares: shares.clone() });
    assert!(bad.is_empty());
    assert!(certifies(aggregate, &[1, 2, 3]), "it is the very sum that was checked");
    // One bad share more, and each is judged by itself.
    let mut shares = shares;
    shares.push((index(6), sign(6, b"another")));
    let (bad, aggregate) = verdict(&Work::Votes { kind, vote, shares });
    assert!(bad.contains(&6));
    let good: Vec<u16> = [1, 2, 3, 6].into_iter().filter(|m| !bad.contains(m)).collect();
    assert!(good.contains(&3) && certifies(aggregate, &good));
}

#[test]
fn acknowledgements_are_checked_one_by_one() {
    let statement = chorale_types::batch::Acknowledgement {
        lane: LaneId { epoch: Epoch::new(1), owner: index(0) },
        seq: LaneSeq::new(1),
        digest: CHAIN,
        prev: CHAIN,
        bytes_through: 1,
    };
    let message = statement.signing_bytes(&CHAIN);
    let share = |member: u16| (index(member), network(member).sign(&message));
    let shares = vec![share(6), (index(3), share(2).1), share(0), (index(MEMBERS), share(1).1)];
    let work = Work::Acks { statement, shares: shares.clone() };
    assert_eq!(verdict(&work), (vec![3, MEMBERS], None));

    let all = |indices: &[usize]| {
        let check = |at: &usize| Check::Ack(statement, shares[*at].0, shares[*at].1);
        judge().judge(&Work::All(indices.iter().map(check).collect()))
    };
    assert_eq!(all(&[0, 2]), Verdict::All { good: true });
    assert_eq!(all(&[0, 1, 2]), Verdict::All { good: false });
}

#[test]
fn a_batch_is_good_when_it_is_whole_and_its_owner_signed_it() {
    let judge = Judge::new(&set()).unwrap();
    let mut batch = (*crate::testing::batches(&crate::testing::chain(1), 1)[0]).clone();
    batch.header.lane.epoch = Epoch::new(1);
    let owner = batch.header.lane.owner.get();
    let bytes = batch.header.acknowledgement().signing_bytes(&CHAIN);
    batch.owner_signature = network(owner).sign(&bytes);
    let is_good = |batch: &Batch| {
        let work = Work::All(vec![Check::Batch(Arc::new(batch.clone()))]);
        judge.judge(&work) == Verdict::All { good: true }
    };
    assert!(is_good(&batch));
    let mut hollow = batch.clone();
    hollow.entries.pop();
    assert!(!is_good(&hollow), "the header commits to other entries");
    let mut forged = batch;
    forged.owner_signature = network(owner + 1).sign(&bytes);
    assert!(!is_good(&forged));
}
