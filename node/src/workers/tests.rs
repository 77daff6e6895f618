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
fn small_messages_come_back_at_their_bound() {
    let workers = workers(1);
    for _ in 0..SMALL_MAX {
        workers.offer(message(0, Class::Vote, 1)).ok().unwrap();
    }
    assert!(workers.offer(message(1, Class::Timeout, 1)).is_err());
    next(&workers, 0);
    assert!(workers.offer(message(1, Class::Timeout, 1)).is_ok());
}

#[test]
fn few_large_messages_come_back_like_many_small_ones() {
    let workers = workers(1);
    for _ in 0..32 {
        workers.offer(message(0, Class::Proposal, 1 << 20)).ok().unwrap();
    }
    assert!(workers.offer(message(1, Class::Timeout, 1)).is_err());
    next(&workers, 0);
    assert!(workers.offer(message(1, Class::Timeout, 1)).is_ok());
    while next(&workers, 0) != "nothing" {}
    assert_eq!(workers.lock().small_bytes, 0);
}

fn answer(from: u16, bytes: Option<usize>) -> Incoming {
    let bytes = bytes.map(|bytes| Bytes::from(vec![0; bytes]));
    Incoming::Response { from: ValidatorIndex::new(from), id: AskId(7), bytes }
}

/// Batches of one peer until one is dropped: how many were taken.
fn fill(workers: &Workers, from: u16, bytes: usize) -> usize {
    let dropped = || workers.metrics.work.bulk_dropped.get();
    let (before, mut taken) = (dropped(), 0);
    loop {
        workers.offer(message(from, Class::Batch, bytes)).ok().unwrap();
        if dropped() > before {
            return taken;
        }
        taken += 1;
    }
}

#[test]
fn a_peer_that_floods_fills_its_own_share_and_all_together_the_whole() {
    let workers = workers(1);
    assert_eq!(fill(&workers, 0, 1 << 20), 23);
    assert_eq!(fill(&workers, 1, 1 << 20), 23);
    assert_eq!(fill(&workers, 2, 1 << 20), 63 - 46, "what is left of the whole");
    while next(&workers, 0) != "nothing" {}
    assert_eq!(fill(&workers, 2, 1 << 20), 23, "what was taken out makes room");
}

#[test]
fn messages_of_next_to_no_bytes_are_bounded_too() {
    assert!(fill(&workers(1), 0, 1) <= BULK_BYTES_PER_PEER_MAX / 512);
}

#[test]
fn an_answer_for_which_there_is_no_room_is_heard_as_none() {
    let workers = workers(1);
    fill(&workers, 3, 1 << 20);
    workers.offer(answer(3, Some(1 << 20))).ok().unwrap();
    workers.offer(answer(3, None)).ok().unwrap();
    let mut queues = workers.lock();
    let last: Vec<Incoming> = queues.decks[0].bulk.drain(23..).collect();
    assert_eq!(last.len(), 2);
    for incoming in last {
        let Incoming::Response { from, id: AskId(7), bytes: None } = incoming else {
            panic!("the replica waits for this answer for ever");
        };
        assert_eq!(from, ValidatorIndex::new(3));
    }
}

#[test]
fn nobody_waits_for_room_in_front_of_threads_that_ended() {
    let workers = workers(1);
    for _ in 0..SMALL_MAX {
        workers.offer(message(0, Class::Vote, 1)).ok().unwrap();
    }
    assert!(workers.offer(message(0, Class::Vote, 1)).is_err());
    workers.close();
    assert!(workers.offer(message(0, Class::Vote, 1)).is_ok());
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
