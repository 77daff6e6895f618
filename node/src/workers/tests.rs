use super::*;
use crate::testing::{batches, chain};
use chorale_consensus::job::JobId;
use chorale_types::codec::Encode;
use chorale_types::ids::{LaneId, LaneSeq};
use chorale_types::message::LaneStatus;

fn message(from: u16, class: Class, bytes: usize) -> Incoming {
    let from = ValidatorIndex::new(from);
    Incoming::Message { from, class, bytes: Bytes::from(vec![0; bytes]) }
}

fn workers(threads: usize) -> Arc<Workers> {
    Workers::new(threads, Arc::new(Metrics::default()))
}

/// What a thread does next, in short.
fn next(workers: &Workers, thread: usize) -> String {
    match workers.lock().next(thread) {
        None => "nothing".into(),
        Some(Task::Check(job)) => format!("check {}", job.id.0),
        Some(Task::Decode(incoming)) => format!("decode {}", incoming.bytes()),
    }
}

#[test]
fn agreement_goes_before_small_messages_these_before_data() {
    let workers = workers(1);
    let data = Work::All(Vec::new());
    let votes = Work::Timeouts { shares: Vec::new() };
    workers.offer(message(0, Class::Batch, 4)).ok().unwrap();
    workers.check(Job { id: JobId(3), work: data });
    workers.offer(message(0, Class::Vote, 2)).ok().unwrap();
    workers.check(Job { id: JobId(1), work: votes });
    let order: Vec<String> = (0..5).map(|_| next(&workers, 0)).collect();
    assert_eq!(order, ["check 1", "decode 2", "check 3", "decode 4", "nothing"]);
    assert_eq!(workers.waiting(), (0, 0));
}

#[test]
fn a_peer_belongs_to_one_thread_and_checks_to_all() {
    let workers = workers(2);
    for bytes in [1, 2] {
        workers.offer(message(3, Class::Batch, bytes)).ok().unwrap();
    }
    assert_eq!(next(&workers, 0), "nothing");
    assert_eq!([next(&workers, 1), next(&workers, 1)], ["decode 1", "decode 2"]);
    workers.check(Job { id: JobId(1), work: Work::All(Vec::new()) });
    assert_eq!(next(&workers, 0), "check 1");
}

#[test]
fn small_messages_come_back_at_their_bound_and_large_ones_are_dropped() {
    let workers = workers(1);
    for _ in 0..SMALL_MAX {
        workers.offer(message(0, Class::Vote, 1)).ok().unwrap();
    }
    assert!(workers.offer(message(1, Class::Timeout, 1)).is_err());
    next(&workers, 0);
    assert!(workers.offer(message(1, Class::Timeout, 1)).is_ok());

    let each = BULK_BYTES_MAX / 64;
    for _ in 0..80 {
        workers.offer(message(0, Class::Batch, each)).ok().unwrap();
    }
    assert_eq!(workers.lock().decks[0].bulk.len(), 64);
    assert_eq!(workers.metrics.work.bulk_dropped.get(), 16);
}

#[test]
fn threads_are_as_many_as_cores_within_the_bound() {
    for (cores, threads) in [(0, 1), (1, 1), (3, 3), (64, THREADS_MAX)] {
        assert_eq!(workers(cores).threads(), threads);
    }
}

#[test]
fn a_message_is_read_only_in_its_own_class() {
    let status = Message::LaneStatus(LaneStatus {
        lane: LaneId { epoch: chorale_types::ids::Epoch::new(1), owner: ValidatorIndex::new(0) },
        acknowledged: LaneSeq::ZERO,
        digest: chorale_types::crypto::hash::Digest::ZERO,
    });
    let bytes = status.to_bytes();
    assert_eq!(read_message(Class::Vote, &bytes), Ok(status));
    for class in [Class::Timeout, Class::Proposal, Class::Batch, Class::Sync] {
        assert_eq!(read_message(class, &bytes), Err(Misdeed::WrongClass));
    }
    for cut in 0..bytes.len() {
        assert_eq!(read_message(Class::Vote, &bytes[..cut]), Err(Misdeed::Undecodable));
    }
    let trailing = [bytes.as_slice(), &[0]].concat();
    assert_eq!(read_message(Class::Vote, &trailing), Err(Misdeed::Undecodable));
}

#[test]
fn a_batch_whose_header_names_other_transactions_is_refused() {
    let batch = Arc::clone(&batches(&chain(1), 1)[0]);
    let good = Message::Batch(Arc::clone(&batch));
    assert_eq!(read_message(Class::Batch, &good.to_bytes()), Ok(good));
    let mut other = (*batch).clone();
    other.header.root = chorale_types::crypto::hash::Digest::ZERO;
    let bad = Message::Batch(Arc::new(other));
    assert_eq!(read_message(Class::Batch, &bad.to_bytes()), Err(Misdeed::BadBatch));
}
