//! Writer and reader over a pipe in memory, on a clock that only the test moves.

use futures::io::{ReadHalf, WriteHalf};
use libp2p::identity::Keypair;
use libp2p::metrics::Registry;
use tokio::io::{DuplexStream, duplex};
use tokio::time::sleep;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use super::*;
use crate::config::{Member, Timing};
use crate::events::{self, Events};
use crate::frame::{FrameError, decode_header, encode_header};
use crate::limits::EVENT_BYTES_PER_PEER_MAX;
use crate::metrics::Metrics;
use crate::reader::read;
use crate::roster::{Peer, Roster};
use chorale_types::ids::ValidatorIndex;

const VIEW_TIMEOUT: Duration = Duration::from_secs(1);
const PIPE_BYTES: usize = 256 * 1024;

type Pipe = Compat<DuplexStream>;

fn pipe() -> (Pipe, Pipe) {
    let (a, b) = duplex(PIPE_BYTES);
    (a.compat(), b.compat())
}

fn context() -> (Context, Events) {
    let (events, queue) = events::queue();
    let metrics = Metrics::new(&mut Registry::default());
    let timing = Timing::new(VIEW_TIMEOUT);
    (Context { timing, start: Instant::now(), events, metrics }, queue)
}

fn peer() -> Arc<Peer> {
    let id = |seed| Keypair::ed25519_from_bytes([seed; 32]).unwrap().public();
    let index = ValidatorIndex::new(2);
    let key = id(2).try_into_ed25519().unwrap().to_bytes();
    let member = Member { index, key, addresses: vec![] };
    let roster = Roster::build(&[member], id(1).to_peer_id(), None, None).unwrap();
    Arc::clone(&roster.peers[&index])
}

fn message(class: Class, bytes: usize) -> Bytes {
    Bytes::from(vec![class.code(); bytes])
}

fn push(peer: &Peer, class: Class, bytes: usize) {
    assert_eq!(peer.outbox().push(class, message(class, bytes)), 0, "nothing is dropped");
    peer.wake.notify_one();
}

/// Reads frames by hand, skipping heartbeats.
async fn next_frame(from: &mut ReadHalf<Pipe>) -> (Class, usize) {
    loop {
        let mut header = [0; HEADER_BYTES];
        from.read_exact(&mut header).await.unwrap();
        let (kind, length) = decode_header(header).unwrap();
        from.read_exact(&mut vec![0; length]).await.unwrap();
        if let Kind::Message(class) = kind {
            return (class, length);
        }
    }
}

async fn report(to: &mut WriteHalf<Pipe>, received: u64) {
    let report = Report { received, echo: 0, held_micros: 0, waiting: false };
    to.write_all(&report.encode()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_bound_of_bulk_is_ever_ahead_of_a_vote() {
    let ((near, far), (context, _events), peer) = (pipe(), context(), peer());
    for _ in 0..8 {
        push(&peer, Class::Batch, Class::Batch.bytes_max());
    }
    let writing = write(&context, &peer, near);
    let reading = async {
        let (mut from, mut to) = far.split();
        let mut received = 0;
        while received < BULK_IN_FLIGHT_BYTES_MAX {
            let (class, length) = next_frame(&mut from).await;
            assert_eq!(class, Class::Batch);
            received += (HEADER_BYTES + length) as u64;
            report(&mut to, 0).await;
        }
        assert!(received < BULK_IN_FLIGHT_BYTES_MAX + Class::Batch.bytes_max() as u64);
        push(&peer, Class::Vote, 100);
        assert_eq!(next_frame(&mut from).await, (Class::Vote, 100));
        // Nothing else comes until something is reported as taken.
        let more = timeout(VIEW_TIMEOUT, next_frame(&mut from)).await;
        assert!(more.is_err(), "bulk beyond the bound: {more:?}");
        report(&mut to, received).await;
    };
    tokio::select! {
        end = writing => panic!("the stream ended: {end}"),
        () = reading => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_application_loses_nothing_and_is_not_taken_for_dead() {
    let ((near, far), (context, mut events), peer) = (pipe(), context(), peer());
    let everything =
        Arc::clone(&peer.budget).acquire_many_owned(EVENT_BYTES_PER_PEER_MAX).await.unwrap();
    for _ in 0..6 {
        push(&peer, Class::Batch, Class::Batch.bytes_max());
    }
    push(&peer, Class::Vote, 100);
    let application = async {
        sleep(VIEW_TIMEOUT * 100).await;
        drop(everything);
        for _ in 0..7 {
            assert!(matches!(events.recv().await, Some(Event::Message { .. })));
        }
    };
    tokio::select! {
        end = write(&context, &peer, near) => panic!("the writer gave up: {end}"),
        end = read(&context, &peer, far) => panic!("the reader gave up: {end}"),
        () = application => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_reports_nothing_is_given_up_within_three_view_timeouts() {
    let ((near, far), (context, _events), peer) = (pipe(), context(), peer());
    let started = Instant::now();
    let (mut from, _to) = far.split();
    let drain = async {
        loop {
            next_frame(&mut from).await;
        }
    };
    let end = tokio::select! {
        end = write(&context, &peer, near) => end,
        () = drain => unreachable!(),
    };
    assert!(matches!(end, StreamEnd::Silent), "{end}");
    assert!(started.elapsed() < VIEW_TIMEOUT * 3);
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_says_nothing_is_given_up_within_three_view_timeouts() {
    let ((_near, far), (context, _events), peer) = (pipe(), context(), peer());
    let started = Instant::now();
    let end = read(&context, &peer, far).await;
    assert!(matches!(end, StreamEnd::Silent), "{end}");
    assert!(started.elapsed() < VIEW_TIMEOUT * 3);
}

#[tokio::test(start_paused = true)]
async fn an_idle_stream_lives_and_knows_its_round_trip() {
    let ((near, far), (context, _events), peer) = (pipe(), context(), peer());
    tokio::select! {
        end = write(&context, &peer, near) => panic!("the writer gave up: {end}"),
        end = read(&context, &peer, far) => panic!("the reader gave up: {end}"),
        () = sleep(VIEW_TIMEOUT * 1_000) => {}
    }
    assert!(peer.health.rtt().is_some());
    assert!(peer.health.heard_within(VIEW_TIMEOUT, context.start.elapsed()));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_lives_but_takes_nothing_is_given_up() {
    let ((near, far), (context, _events), peer) = (pipe(), context(), peer());
    push(&peer, Class::Batch, Class::Batch.bytes_max());
    let (_from, mut to) = far.split();
    let alive = async {
        loop {
            report(&mut to, 0).await;
            sleep(VIEW_TIMEOUT / 2).await;
        }
    };
    let end = tokio::select! {
        end = write(&context, &peer, near) => end,
        () = alive => unreachable!(),
    };
    assert!(matches!(end, StreamEnd::Stalled), "{end}");
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_before_the_writer_went_is_still_delivered() {
    let ((mut near, far), (context, mut events), peer) = (pipe(), context(), peer());
    let header = encode_header(Kind::Message(Class::Vote), 3);
    near.write_all(&[&header[..], b"abc"].concat()).await.unwrap();
    drop(near);
    let end = read(&context, &peer, far).await;
    assert!(matches!(end, StreamEnd::Closed), "{end}");
    match events.try_recv() {
        Ok(Event::Message { class: Class::Vote, bytes, .. }) => assert_eq!(&bytes[..], b"abc"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn malformed_frames_and_reports_end_the_stream_with_the_reason() {
    let bad = [[9, 0, 0, 0, 1], encode_header(Kind::Message(Class::Vote), 0)];
    for header in bad {
        let ((mut near, far), (context, _events), peer) = (pipe(), context(), peer());
        near.write_all(&header).await.unwrap();
        let end = read(&context, &peer, far).await;
        assert!(matches!(end, StreamEnd::Malformed(_)), "{end}");
    }
    let ((near, far), (context, _events), peer) = (pipe(), context(), peer());
    let (_from, mut to) = far.split();
    report(&mut to, 1).await;
    let end = write(&context, &peer, near).await;
    let expected = FrameError::Report { received: 1, sent: 0 };
    assert!(matches!(end, StreamEnd::Malformed(error) if error == expected), "{end}");
}
