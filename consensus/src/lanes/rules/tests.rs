//! L2 and L4 on one lane, at their edges.

use super::*;
use crate::lanes::lane::Held;
use crate::testing::set_of;
use chorale_types::batch::Availability;
use chorale_types::crypto::ed25519::Signature;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Epoch, LaneId, ValidatorIndex};
use chorale_types::limits::LANE_BATCHES_MAX;
use chorale_types::message::SignedHeader;
use chorale_types::time::Instant;
use std::sync::Arc;

const LANE: LaneId = LaneId { epoch: Epoch::new(1), owner: ValidatorIndex::new(0) };
const START: Digest = Digest::from_bytes([7; 32]);
const CHARGE: usize = 100;
const QUOTA: u64 = 1_000;

fn lane() -> Lane {
    Lane::new(LANE, START, None)
}

/// The batch after `below`; batches of other marks are others.
fn after(below: &LaneTip, mark: u8) -> BatchHeader {
    BatchHeader {
        lane: LANE,
        seq: below.seq.next(),
        prev: below.digest,
        root: Digest::from_bytes([mark; 32]),
        bytes_through: below.bytes_through + 100,
    }
}

fn tip(header: &BatchHeader) -> LaneTip {
    header.acknowledgement().tip()
}

/// A row of batches above what is ordered.
fn row(lane: &Lane, count: usize, mark: u8) -> Vec<BatchHeader> {
    let mut last = lane.ordered;
    let next = |_| {
        let header = after(&last, mark);
        last = tip(&header);
        header
    };
    (0..count).map(next).collect()
}

fn hold(lane: &mut Lane, header: &BatchHeader) {
    let signed = SignedHeader { header: *header, signature: Signature::from_bytes([0; 64]) };
    let held = Held { signed, writing: None, own: None, since: Instant::from_micros(0) };
    lane.hold(header.id(), held);
}

fn acknowledge(lane: &mut Lane, header: &BatchHeader) {
    hold(lane, header);
    lane.acknowledge(header.id());
}

fn certify(lane: &mut Lane, header: &BatchHeader) {
    let (statement, signers) = (header.acknowledgement(), set_of(&[1]).no_signers());
    let cert = Availability { statement, signers, signatures: Vec::new() };
    lane.certificates.insert(header.seq, Arc::new(cert));
}

fn check(lane: &Lane, header: &BatchHeader) -> Result<(), NotNow> {
    lane.check_acknowledge(header, CHARGE, QUOTA)
}

fn unknown_predecessor(header: &BatchHeader) -> Result<(), NotNow> {
    Err(NotNow::UnknownPredecessor { seq: header.seq })
}

#[test]
fn the_ordered_tip_is_certified_and_no_other_batch_at_its_place() {
    let lane = Lane { ordered: tip(&row(&lane(), 3, 1)[2]), ..lane() };
    assert!(lane.is_certified(&lane.ordered));
    assert!(!lane.is_certified(&LaneTip { digest: START, ..lane.ordered }));
    assert!(!lane.is_certified(&LaneTip { bytes_through: 1, ..lane.ordered }));
}

#[test]
fn a_tip_with_a_certificate_is_certified_with_exactly_its_digest_and_bytes() {
    let mut lane = lane();
    let header = row(&lane, 1, 1)[0];
    let good = tip(&header);
    assert!(!lane.is_certified(&good), "nothing is known");
    certify(&mut lane, &header);
    assert!(lane.is_certified(&good));
    assert!(!lane.is_certified(&LaneTip { digest: START, ..good }));
    assert!(!lane.is_certified(&LaneTip { bytes_through: good.bytes_through + 1, ..good }));
    assert!(!lane.is_certified(&tip(&after(&good, 1))), "a certificate says nothing of above");
}

#[test]
fn a_certificate_speaks_for_what_the_headers_held_lead_down_to() {
    let mut lane = lane();
    let row = row(&lane, 4, 1);
    certify(&mut lane, &row[3]);
    let first = tip(&row[0]);
    for held in [3, 1] {
        hold(&mut lane, &row[held]);
        assert!(!lane.is_certified(&first), "the third is missing");
    }
    assert!(!lane.is_certified(&tip(&row[1])), "the third is missing");
    hold(&mut lane, &row[2]);
    assert!(lane.is_certified(&tip(&row[2])) && lane.is_certified(&tip(&row[1])));
    assert!(!lane.is_certified(&first), "its own header tells its bytes");
    hold(&mut lane, &row[0]);
    assert!(lane.is_certified(&first));
    let other = after(&lane.ordered, 2);
    hold(&mut lane, &other);
    assert!(!lane.is_certified(&tip(&other)), "of the same bytes, on another chain");
    assert!(!lane.is_certified(&LaneTip { bytes_through: 99, ..first }));
}

#[test]
fn the_first_batch_stands_on_the_ordered_tip_and_on_nothing_else() {
    let base = lane();
    let ordered = Lane { ordered: tip(&row(&base, 3, 1)[2]), ..lane() };
    for lane in [base, ordered] {
        let good = after(&lane.ordered, 1);
        assert_eq!(check(&lane, &good), Ok(()));
        let bad = BatchHeader { prev: Digest::from_bytes([9; 32]), ..good };
        assert_eq!(check(&lane, &bad), unknown_predecessor(&bad));
    }
}

#[test]
fn refuses_a_place_that_is_ordered() {
    let row = row(&lane(), 4, 1);
    let lane = Lane { ordered: tip(&row[2]), ..lane() };
    for header in &row[1..3] {
        assert_eq!(check(&lane, header), Err(NotNow::Ordered { seq: header.seq }));
    }
    assert_eq!(check(&lane, &row[3]), Ok(()));
    let zero = BatchHeader { seq: LaneSeq::ZERO, ..row[0] };
    assert_eq!(check(&lane, &zero), Err(NotNow::Ordered { seq: LaneSeq::ZERO }));
}

#[test]
fn a_batch_stands_on_one_that_is_acknowledged_or_certified_and_not_on_one_that_is_held() {
    let two = |prepare: &dyn Fn(&mut Lane, &BatchHeader)| {
        let mut lane = lane();
        let row = row(&lane, 2, 1);
        prepare(&mut lane, &row[0]);
        let result = check(&lane, &row[1]);
        assert!(result.is_ok() || result == unknown_predecessor(&row[1]), "{result:?}");
        result.is_ok()
    };
    assert!(!two(&|_, _| {}), "nothing is known of it");
    assert!(!two(&hold), "held is not enough");
    assert!(two(&acknowledge));
    assert!(two(&certify), "a certificate alone tells its bytes");
    assert!(two(&|lane, first| {
        let second = after(&tip(first), 2);
        [first, &second].into_iter().for_each(|header| hold(lane, header));
        let third = after(&tip(&second), 2);
        hold(lane, &third);
        certify(lane, &third);
    }));
    let other = |lane: &mut Lane, _: &BatchHeader| {
        let other = after(&lane.ordered, 2);
        certify(lane, &other);
    };
    assert!(!two(&other), "another is certified there");
    assert!(!two(&|lane, first| {
        hold(lane, first);
        other(lane, first);
    }));
    assert!(!two(&|lane, first| {
        hold(lane, first);
        let other = after(&lane.ordered, 2);
        acknowledge(lane, &other);
    }));
}

#[test]
fn one_digest_is_acknowledged_at_one_place() {
    let mut lane = lane();
    let (one, other) = (after(&lane.ordered, 1), after(&lane.ordered, 2));
    acknowledge(&mut lane, &one);
    assert_eq!(check(&lane, &other), Err(NotNow::OtherAcknowledged { seq: one.seq }));
    assert_eq!(check(&lane, &one), Ok(()), "again");
}

#[test]
fn refuses_a_batch_where_another_is_certified() {
    let mut lane = lane();
    let (one, other) = (after(&lane.ordered, 1), after(&lane.ordered, 2));
    certify(&mut lane, &one);
    assert_eq!(check(&lane, &other), Err(NotNow::OtherCertified { seq: one.seq }));
    assert_eq!(check(&lane, &one), Ok(()));
}

#[test]
fn refuses_bytes_other_than_the_charge_makes_them() {
    let lane = lane();
    for got in [0, 99, 101, u64::MAX] {
        let header = BatchHeader { bytes_through: got, ..after(&lane.ordered, 1) };
        let refused = NotNow::WrongBytes { seq: header.seq, got, expected: 100 };
        assert_eq!(check(&lane, &header), Err(refused));
    }
}

#[test]
fn the_quota_and_the_window_are_reached_and_not_passed() {
    let mut lane = Lane { ordered: tip(&row(&lane(), 1, 1)[0]), ..lane() };
    let row = row(&lane, 1 + usize::try_from(LANE_BATCHES_MAX).expect("small"), 2);
    row.iter().for_each(|header| acknowledge(&mut lane, header));
    for header in &row[..10] {
        assert_eq!(check(&lane, header), Ok(()), "through 1,000 bytes of 1,000");
    }
    let over = NotNow::OverQuota { bytes: 1_100, max: QUOTA };
    assert_eq!(check(&lane, &row[10]), Err(over));
    let wide = |header: &BatchHeader| lane.check_acknowledge(header, CHARGE, u64::MAX);
    let [.., last, beyond] = &row[..] else { panic!("two") };
    assert_eq!(wide(last), Ok(()));
    let refused = NotNow::BeyondWindow { seq: beyond.seq, ordered: lane.ordered.seq };
    assert_eq!(wide(beyond), Err(refused));
}

#[test]
fn nothing_stands_on_a_batch_beside_one_that_is_ordered_certified_or_acknowledged() {
    let mut lane = Lane { ordered: tip(&row(&lane(), 1, 1)[0]), ..lane() };
    assert!(!lane.cannot_stand_on(&lane.ordered.id()));
    assert!(lane.cannot_stand_on(&BatchId { digest: START, ..lane.ordered.id() }));
    let (ours, other) = (row(&lane, 3, 1), row(&lane, 3, 2));
    assert!(!lane.cannot_stand_on(&ours[0].id()), "nothing is known");
    acknowledge(&mut lane, &ours[0]);
    assert!(!lane.cannot_stand_on(&ours[0].id()));
    assert!(lane.cannot_stand_on(&other[0].id()), "acknowledged above all certificates");
    certify(&mut lane, &other[1]);
    assert!(!lane.cannot_stand_on(&other[0].id()), "it may lie below that certificate");
    assert!(!lane.cannot_stand_on(&other[1].id()));
    assert!(lane.cannot_stand_on(&ours[1].id()), "another is certified");
    assert!(!lane.cannot_stand_on(&ours[2].id()), "above, and nothing is acknowledged there");
    acknowledge(&mut lane, &ours[1]);
    assert!(!lane.cannot_stand_on(&ours[1].id()), "acknowledged itself");
}
