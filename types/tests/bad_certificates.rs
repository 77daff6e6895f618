//! Certificates with real keys, each forged in one thing: the verifier says what is wrong.

use chorale_types::batch::{Acknowledgement, Availability, BatchHeader};
use chorale_types::certificate::{EntryCert, QuorumCert, TimeoutCert, TimeoutGroup};
use chorale_types::crypto::SignatureError;
use chorale_types::crypto::bitmap::SignerSet;
use chorale_types::crypto::bls::{Bls, BlsSignature};
use chorale_types::crypto::ed25519::{SecretKey, Signature};
use chorale_types::crypto::hash::Digest;
use chorale_types::crypto::pure::Pure;
use chorale_types::genesis::Params;
use chorale_types::ids::{Epoch, Height, LaneId, LaneSeq, ValidatorIndex, View};
use chorale_types::message::{ProposalClass, ProposalVote};
use chorale_types::validators::{EpochInfo, Validator, ValidatorSet};
use chorale_types::verify::{Verifier, VerifyError};
use chorale_types::vote::{TimeoutVote, Tip, Vote, VoteKind};

const CHAIN: Digest = Digest::from_bytes([0xc1; 32]);
const MEMBERS: u8 = 4;

type Secret = <Pure as Bls>::Secret;

fn secret(at: u8) -> Secret {
    Pure::secret_from_seed(&[at + 1; 32])
}

fn network(at: u8) -> SecretKey {
    SecretKey::from_seed([at + 51; 32])
}

fn set() -> ValidatorSet {
    set_with([10; MEMBERS as usize])
}

fn set_with(stakes: [u64; MEMBERS as usize]) -> ValidatorSet {
    let validator = |at: u8| Validator {
        operator: SecretKey::from_seed([at + 101; 32]).public(),
        bls: Pure::public(&secret(at)),
        network: network(at).public(),
        stake: stakes[usize::from(at)],
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

fn verifier() -> Verifier<Pure> {
    Verifier::new(set()).expect("good keys")
}

fn signers(members: u16, of: &[u8]) -> SignerSet {
    let mut set = SignerSet::new(members);
    for at in of {
        assert!(set.insert(ValidatorIndex::new(u16::from(*at))));
    }
    set
}

fn vote(view: u64) -> Vote {
    let (epoch, block) = (Epoch::new(1), Digest::from_bytes([3; 32]));
    Vote { epoch, view: View::new(view), height: Height::new(4), block }
}

fn aggregate(messages: &[(u8, Vec<u8>)]) -> BlsSignature {
    let shares: Vec<_> =
        messages.iter().map(|(at, message)| Pure::sign(&secret(*at), message)).collect();
    Pure::aggregate(&shares).expect("good shares")
}

fn qc(view: u64) -> QuorumCert {
    let (kind, vote) = (VoteKind::Prepare, vote(view));
    let message = vote.signing_bytes(kind, &CHAIN);
    let signature = aggregate(&[0, 1, 2].map(|at| (at, message.clone())));
    QuorumCert { kind, vote, signers: signers(4, &[0, 1, 2]), signature }
}

/// Members 0 and 1 reported a tip, member 2 none.
fn tc() -> TimeoutCert {
    let group = |tip: Option<Tip>, of: &[u8]| TimeoutGroup {
        high_qc_view: View::new(5),
        tip,
        signers: signers(4, of),
    };
    let groups = vec![group(None, &[2]), group(Some(vote(6).tip()), &[0, 1])];
    let (epoch, view, high_qc) = (Epoch::new(1), View::new(6), qc(5));
    let signature = BlsSignature::from_bytes([0; 96]);
    let mut tc = TimeoutCert { epoch, view, groups, signature, high_qc };
    let mut shares = Vec::new();
    for group in &tc.groups {
        let message = tc.vote_of(group).signing_bytes(&CHAIN);
        let members = group.signers.iter().map(|at| u8::try_from(at.get()).expect("small"));
        shares.extend(members.map(|at| (at, message.clone())));
    }
    tc.signature = aggregate(&shares);
    tc
}

fn identity() -> BlsSignature {
    let mut bytes = [0; 96];
    bytes[0] = 0xc0;
    BlsSignature::from_bytes(bytes)
}

const NO_POINTS: [BlsSignature; 2] =
    [BlsSignature::from_bytes([0; 96]), BlsSignature::from_bytes([0xff; 96])];

fn is_signature(error: VerifyError) -> bool {
    matches!(error, VerifyError::Signature(_))
}

#[test]
fn a_certificate_of_votes_forged_in_one_thing_is_refused_with_the_reason() {
    let verifier = verifier();
    assert_eq!(verifier.verify_qc(&qc(5)), Ok(()));
    let refusal = |change: &dyn Fn(&mut QuorumCert)| {
        let mut cert = qc(5);
        change(&mut cert);
        let error = verifier.verify_qc(&cert).expect_err("must be refused");
        assert_eq!(verifier.verify_entry(&EntryCert::Qc(cert)), Err(error));
        error
    };
    let expected = Epoch::new(1);
    for got in [Epoch::ZERO, Epoch::new(2), Epoch::MAX] {
        let error = refusal(&|cert| cert.vote.epoch = got);
        assert_eq!(error, VerifyError::WrongEpoch { got, expected });
    }
    for got in [0, 3, 5, 256] {
        let error = refusal(&|cert| cert.signers = signers(got, &[]));
        assert_eq!(error, VerifyError::WrongSet { got, expected: 4 });
    }
    for (of, got) in [(&[][..], 0), (&[3], 10), (&[0, 1], 20)] {
        let error = refusal(&|cert| cert.signers = signers(4, of));
        assert_eq!(error, VerifyError::NoQuorum { got, quorum: 27 });
    }
    assert_eq!(refusal(&|cert| cert.vote.view = View::ZERO), VerifyError::WrongStart);
    assert!(is_signature(refusal(&|cert| cert.signers = signers(4, &[0, 1, 2, 3]))));
    assert!(is_signature(refusal(&|cert| cert.signers = signers(4, &[1, 2, 3]))));
    for view in [1, 4, 6, u64::MAX] {
        assert!(is_signature(refusal(&|cert| cert.vote.view = View::new(view))));
    }
    for height in [0, 3, 5, u64::MAX] {
        assert!(is_signature(refusal(&|cert| cert.vote.height = Height::new(height))));
    }
    assert!(is_signature(refusal(&|cert| cert.vote.block = Digest::ZERO)));
    assert!(is_signature(refusal(&|cert| cert.kind = VoteKind::Commit)));
    for signature in NO_POINTS.into_iter().chain([identity(), qc(6).signature]) {
        assert!(is_signature(refusal(&|cert| cert.signature = signature)));
    }
}

#[test]
fn exactly_a_quorum_of_stake_is_one_and_one_unit_less_is_not() {
    let short = Err(VerifyError::NoQuorum { got: 27, quorum: 28 });
    for (stakes, expected) in
        [([1, 1, 1, 1], Ok(())), ([9, 9, 9, 13], Ok(())), ([9, 9, 9, 14], short)]
    {
        let verifier = Verifier::<Pure>::new(set_with(stakes)).expect("good keys");
        assert_eq!(verifier.verify_qc(&qc(5)), expected, "{stakes:?}");
    }
}

#[test]
fn the_certificate_of_genesis_is_good_only_as_exactly_that_one() {
    let verifier = verifier();
    let start = set().start().clone();
    assert_eq!(verifier.verify_qc(&start), Ok(()));
    let changes: [&dyn Fn(&mut QuorumCert); 5] = [
        &|cert| cert.kind = VoteKind::Prepare,
        &|cert| cert.vote.height = Height::new(1),
        &|cert| cert.vote.block = Digest::ZERO,
        &|cert| cert.signers = signers(4, &[0, 1, 2]),
        &|cert| cert.signature = identity(),
    ];
    for change in changes {
        let mut other = start.clone();
        change(&mut other);
        assert_eq!(verifier.verify_qc(&other), Err(VerifyError::WrongStart));
    }
    let mut later = start;
    later.vote.view = View::new(1);
    let wrong = VerifyError::WrongSet { got: 0, expected: 4 };
    assert_eq!(verifier.verify_qc(&later), Err(wrong));
}

#[test]
fn a_certificate_of_timeouts_forged_in_one_thing_is_refused_with_the_reason() {
    let verifier = verifier();
    assert_eq!(verifier.verify_tc(&tc()), Ok(()));
    let refusal = |change: &dyn Fn(&mut TimeoutCert)| {
        let mut cert = tc();
        change(&mut cert);
        let error = verifier.verify_tc(&cert).expect_err("must be refused");
        assert_eq!(verifier.verify_entry(&EntryCert::Tc(cert)), Err(error));
        error
    };
    let expected = Epoch::new(1);
    for got in [Epoch::ZERO, Epoch::new(2), Epoch::MAX] {
        let error = refusal(&|cert| cert.epoch = got);
        assert_eq!(error, VerifyError::WrongEpoch { got, expected });
    }
    let error = refusal(&|cert| cert.groups.truncate(1));
    assert_eq!(error, VerifyError::NoQuorum { got: 10, quorum: 27 });
    let error = refusal(&|cert| cert.groups.clear());
    assert_eq!(error, VerifyError::WrongSet { got: 0, expected: 4 });
    let twice = |cert: &mut TimeoutCert| {
        let last = cert.groups[1].clone();
        cert.groups = vec![last.clone(), last];
    };
    assert_eq!(refusal(&twice), VerifyError::NoQuorum { got: 20, quorum: 27 });
    for view in [0, 7, u64::MAX] {
        assert!(is_signature(refusal(&|cert| cert.view = View::new(view))));
    }
    assert!(is_signature(refusal(&|cert| cert.groups[1].tip = None)));
    assert!(is_signature(refusal(&|cert| cert.groups[0].tip = cert.groups[1].tip)));
    assert!(is_signature(refusal(&|cert| cert.groups[1].tip = Some(vote(5).tip()))));
    assert!(is_signature(refusal(&|cert| cert.groups[0].high_qc_view = View::ZERO)));
    assert!(is_signature(refusal(&|cert| cert.groups[0].signers = signers(4, &[3]))));
    assert!(is_signature(refusal(&|cert| cert.groups[0].signers = signers(4, &[2, 3]))));
    for signature in NO_POINTS.into_iter().chain([identity(), qc(5).signature]) {
        assert!(is_signature(refusal(&|cert| cert.signature = signature)));
    }
}

#[test]
fn the_certificate_inside_a_certificate_of_timeouts_is_checked_too() {
    let verifier = verifier();
    let refusal = |change: &dyn Fn(&mut QuorumCert)| {
        let mut cert = tc();
        change(&mut cert.high_qc);
        verifier.verify_tc(&cert).expect_err("must be refused")
    };
    assert!(is_signature(refusal(&|qc| qc.vote.block = Digest::ZERO)));
    assert!(is_signature(refusal(&|qc| qc.signature = identity())));
    let none = VerifyError::NoQuorum { got: 0, quorum: 27 };
    assert_eq!(refusal(&|qc| qc.signers = signers(4, &[])), none);
    assert_eq!(refusal(&|qc| qc.vote.view = View::ZERO), VerifyError::WrongStart);
    let (got, expected) = (Epoch::new(2), Epoch::new(1));
    assert_eq!(refusal(&|qc| qc.vote.epoch = got), VerifyError::WrongEpoch { got, expected });
}

#[test]
fn a_single_signature_counts_for_its_own_signer_and_statement_alone() {
    let verifier = verifier();
    let (index, other) = (ValidatorIndex::new(1), ValidatorIndex::new(2));
    let kind = VoteKind::Prepare;
    let good = Pure::sign(&secret(1), &vote(5).signing_bytes(kind, &CHAIN));
    assert_eq!(verifier.verify_vote(kind, &vote(5), index, &good), Ok(()));
    let check = |kind, vote: &Vote, signer| verifier.verify_vote(kind, vote, signer, &good);
    let wrong = Err(VerifyError::Signature(SignatureError::Mismatch));
    assert_eq!(check(kind, &vote(5), other), wrong, "sender and signer differ");
    assert_eq!(check(VoteKind::Commit, &vote(5), index), wrong, "another domain");
    assert_eq!(check(kind, &vote(6), index), wrong, "another view");
    for at in [MEMBERS.into(), u16::MAX].map(ValidatorIndex::new) {
        let stranger = Err(VerifyError::NotAMember { index: at });
        assert_eq!(check(kind, &vote(5), at), stranger);
    }
    let (epoch, high_qc_view) = (Epoch::new(1), View::new(5));
    let timeout = TimeoutVote { epoch, view: View::new(6), high_qc_view, tip: None };
    assert_eq!(verifier.verify_timeout(&timeout, index, &good), wrong, "a vote is no timeout");
    let class = ProposalClass::Justified;
    let proposal = ProposalVote { epoch, view: View::new(6), class, block: CHAIN };
    let signed = network(1).sign(&proposal.signing_bytes(&CHAIN));
    assert_eq!(verifier.verify_proposal(&proposal, index, &signed), Ok(()));
    assert!(verifier.verify_proposal(&proposal, other, &signed).is_err_and(is_signature));
    let elsewhere = network(1).sign(&proposal.signing_bytes(&Digest::ZERO));
    assert!(verifier.verify_proposal(&proposal, index, &elsewhere).is_err_and(is_signature));
}

#[test]
fn an_acknowledgement_and_a_batch_count_for_their_own_signer_alone() {
    let verifier = verifier();
    let lane = LaneId { epoch: Epoch::new(1), owner: ValidatorIndex::new(1) };
    let (prev, root) = (Digest::from_bytes([4; 32]), Digest::from_bytes([5; 32]));
    let header = BatchHeader { lane, seq: LaneSeq::new(2), prev, root, bytes_through: 9 };
    let statement = header.acknowledgement();
    let by = |at: u8, of: &Acknowledgement| network(at).sign(&of.signing_bytes(&CHAIN));
    let (owner, other) = (ValidatorIndex::new(1), ValidatorIndex::new(2));
    let signed = by(1, &statement);
    assert_eq!(verifier.verify_batch(&header, &signed), Ok(()));
    assert_eq!(verifier.verify_acknowledgement(&statement, owner, &signed), Ok(()));
    assert!(verifier.verify_batch(&header, &by(2, &statement)).is_err_and(is_signature));
    let wrong = verifier.verify_acknowledgement(&statement, other, &signed);
    assert!(wrong.is_err_and(is_signature), "sender and signer differ");
    let later = BatchHeader { seq: LaneSeq::new(3), ..header };
    assert!(verifier.verify_batch(&later, &signed).is_err_and(is_signature));
    let index = ValidatorIndex::new(MEMBERS.into());
    let stranger = verifier.verify_acknowledgement(&statement, index, &signed);
    assert_eq!(stranger, Err(VerifyError::NotAMember { index }));
    let (got, expected) = (Epoch::new(2), Epoch::new(1));
    let lane = LaneId { epoch: got, ..lane };
    let wrong = Err(VerifyError::WrongEpoch { got, expected });
    assert_eq!(verifier.verify_batch(&BatchHeader { lane, ..header }, &signed), wrong);
}

#[test]
fn a_timeout_and_a_proposal_count_for_members_of_the_epoch_alone() {
    let verifier = verifier();
    let (epoch, index) = (Epoch::new(1), ValidatorIndex::new(1));
    let timeout = TimeoutVote { epoch, view: View::new(6), high_qc_view: View::new(5), tip: None };
    let good = Pure::sign(&secret(1), &timeout.signing_bytes(&CHAIN));
    assert_eq!(verifier.verify_timeout(&timeout, index, &good), Ok(()));
    let other = ValidatorIndex::new(2);
    assert!(verifier.verify_timeout(&timeout, other, &good).is_err_and(is_signature));
    let wrong = VerifyError::WrongEpoch { got: Epoch::new(2), expected: epoch };
    let later = TimeoutVote { epoch: Epoch::new(2), ..timeout };
    assert_eq!(verifier.verify_timeout(&later, index, &good), Err(wrong));
    let class = ProposalClass::Justified;
    let proposal = ProposalVote { epoch: Epoch::new(2), view: View::new(6), class, block: CHAIN };
    let signed = network(1).sign(&proposal.signing_bytes(&CHAIN));
    assert_eq!(verifier.verify_proposal(&proposal, index, &signed), Err(wrong));
}

#[test]
fn a_certificate_of_acknowledgements_forged_in_one_thing_is_refused_with_the_reason() {
    let verifier = verifier();
    let lane = LaneId { epoch: Epoch::new(1), owner: ValidatorIndex::new(0) };
    let (digest, prev) = (Digest::from_bytes([5; 32]), Digest::from_bytes([4; 32]));
    let statement = Acknowledgement { lane, seq: LaneSeq::new(2), digest, prev, bytes_through: 9 };
    let message = statement.signing_bytes(&CHAIN);
    let signatures = [0, 1, 2].map(|at| network(at).sign(&message)).to_vec();
    let good = Availability { statement, signers: signers(4, &[0, 1, 2]), signatures };
    assert_eq!(verifier.verify_availability(&good), Ok(()));
    let refusal = |change: &dyn Fn(&mut Availability)| {
        let mut cert = good.clone();
        change(&mut cert);
        verifier.verify_availability(&cert).expect_err("must be refused")
    };
    for owner in [1, 4, u16::MAX] {
        let owner = ValidatorIndex::new(owner);
        assert!(is_signature(refusal(&|cert| cert.statement.lane.owner = owner)));
    }
    for seq in [0, 1, 3, u64::MAX] {
        assert!(is_signature(refusal(&|cert| cert.statement.seq = LaneSeq::new(seq))));
    }
    for bytes in [0, 8, 10, u64::MAX] {
        assert!(is_signature(refusal(&|cert| cert.statement.bytes_through = bytes)));
    }
    assert!(is_signature(refusal(&|cert| cert.statement.digest = Digest::ZERO)));
    assert!(is_signature(refusal(&|cert| cert.statement.prev = Digest::ZERO)));
    assert!(is_signature(refusal(&|cert| cert.signatures.swap(0, 1))));
    assert!(is_signature(refusal(&|cert| cert.signatures[2] = Signature::from_bytes([0; 64]))));
    assert!(is_signature(refusal(&|cert| cert.signers = signers(4, &[0, 1, 3]))));
    let (got, expected) = (Epoch::new(2), Epoch::new(1));
    let error = refusal(&|cert| cert.statement.lane.epoch = got);
    assert_eq!(error, VerifyError::WrongEpoch { got, expected });
    let error = refusal(&|cert| cert.signers = signers(5, &[0, 1, 2]));
    assert_eq!(error, VerifyError::WrongSet { got: 5, expected: 4 });
    let error = refusal(&|cert| cert.signers = signers(4, &[0, 1]));
    assert_eq!(error, VerifyError::NoQuorum { got: 20, quorum: 27 });
}
