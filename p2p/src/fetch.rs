//! Fetch: one bounded request, one bounded response, over a stream of its own.
//!
//! On the wire a request is a 32-bit big-endian length and that many bytes; a response is a
//! status byte (0 an answer follows, 1 busy), then likewise. Lengths are checked before anything
//! is allocated.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use chorale_types::ids::ValidatorIndex;
use futures::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::request_response::{
    self, InboundRequestId, OutboundFailure, OutboundRequestId, ProtocolSupport, ResponseChannel,
};
use libp2p::{PeerId, StreamProtocol};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::config::{Names, Timing};
use crate::error::FetchError;
use crate::limits::{REQUEST_BYTES_MAX, REQUESTS_PER_PEER_MAX, RESPONSE_BYTES_MAX};

const ANSWER: u8 = 0;
const BUSY: u8 = 1;

/// Names one request of ours. Never reused while the network runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(crate) u64);

/// The right to answer one request. Dropping it answers nothing.
#[derive(Debug)]
pub struct ResponseToken {
    pub(crate) channel: ResponseChannel<Reply>,
}

/// What goes back to who asked.
#[derive(Debug)]
pub(crate) enum Reply {
    Answer(Bytes),
    Busy,
}

pub(crate) type Behaviour = request_response::Behaviour<Codec>;
pub(crate) type Event = request_response::Event<Bytes, Reply>;

pub(crate) fn behaviour(names: &Names, timing: &Timing) -> Behaviour {
    // The asker gives up first, so that it knows that it was time that ran out.
    let config = request_response::Config::default()
        .with_request_timeout(timing.fetch + timing.view_timeout)
        .with_max_concurrent_streams(2 * REQUESTS_PER_PEER_MAX);
    let codec = Codec { patience: timing.fetch };
    Behaviour::with_codec(codec, [(names.fetch.clone(), ProtocolSupport::Full)], config)
}

/// Reads and writes both kinds of message.
#[derive(Clone)]
pub(crate) struct Codec {
    /// How long to wait for a response once the request is out.
    patience: Duration,
}

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Bytes;
    type Response = Reply;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Bytes>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_bounded(io, REQUEST_BYTES_MAX).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Reply>
    where
        T: AsyncRead + Unpin + Send,
    {
        match timeout(self.patience, read_reply(io)).await {
            Ok(reply) => reply,
            Err(_) => Err(refuse(FetchError::Timeout)),
        }
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        request: Bytes,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write_bounded(io, &request).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        reply: Reply,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        match reply {
            Reply::Answer(bytes) => {
                io.write_all(&[ANSWER]).await?;
                write_bounded(io, &bytes).await
            }
            Reply::Busy => io.write_all(&[BUSY]).await,
        }
    }
}

async fn read_reply<T: AsyncRead + Unpin>(io: &mut T) -> io::Result<Reply> {
    let mut status = [0];
    io.read_exact(&mut status).await?;
    match status {
        [ANSWER] => read_bounded(io, RESPONSE_BYTES_MAX).await.map(Reply::Answer),
        [BUSY] => Ok(Reply::Busy),
        _ => Err(refuse(FetchError::Malformed)),
    }
}

async fn read_bounded<T: AsyncRead + Unpin>(io: &mut T, bytes_max: usize) -> io::Result<Bytes> {
    let mut length = [0; 4];
    io.read_exact(&mut length).await?;
    let bytes = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if bytes > bytes_max {
        return Err(refuse(FetchError::TooLong { bytes, bytes_max }));
    }
    let mut body = vec![0; bytes];
    io.read_exact(&mut body).await?;
    Ok(body.into())
}

async fn write_bounded<T: AsyncWrite + Unpin>(io: &mut T, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).expect("bounded before it was queued");
    io.write_all(&length.to_be_bytes()).await?;
    io.write_all(bytes).await
}

fn refuse(error: FetchError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// What libp2p says about a failed request, in our words.
pub(crate) fn failure(error: &OutboundFailure) -> FetchError {
    match error {
        OutboundFailure::DialFailure => FetchError::NotConnected,
        OutboundFailure::Timeout => FetchError::Timeout,
        OutboundFailure::ConnectionClosed => FetchError::Closed,
        OutboundFailure::UnsupportedProtocols => FetchError::Unsupported,
        OutboundFailure::Io(error) => error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<FetchError>())
            .cloned()
            .unwrap_or(FetchError::Closed),
    }
}

/// One of our requests under way.
pub(crate) struct Pending {
    pub(crate) request: RequestId,
    pub(crate) to: ValidatorIndex,
    /// Counts against the peer's bound until the application takes the response.
    pub(crate) slot: OwnedSemaphorePermit,
}

/// Every exchange under way, in both directions.
#[derive(Default)]
pub(crate) struct Exchanges {
    pub(crate) ours: HashMap<OutboundRequestId, Pending>,
    theirs: Bounded<InboundRequestId>,
}

impl Exchanges {
    /// Whether a request of `peer`, which may have `max` under way, is taken.
    pub(crate) fn admit(&mut self, peer: PeerId, id: InboundRequestId, max: usize) -> bool {
        self.theirs.insert(peer, id, max)
    }

    /// A request of somebody else's is answered or has failed.
    pub(crate) fn finish(&mut self, id: &InboundRequestId) {
        self.theirs.remove(id);
    }
}

/// Things under way, bounded per peer.
struct Bounded<Id> {
    owners: HashMap<Id, PeerId>,
    counts: HashMap<PeerId, usize>,
}

impl<Id> Default for Bounded<Id> {
    fn default() -> Self {
        Self { owners: HashMap::new(), counts: HashMap::new() }
    }
}

impl<Id: std::hash::Hash + Eq> Bounded<Id> {
    fn insert(&mut self, peer: PeerId, id: Id, max: usize) -> bool {
        let count = self.counts.get(&peer).copied().unwrap_or(0);
        if count >= max {
            return false;
        }
        if self.owners.insert(id, peer).is_none() {
            self.counts.insert(peer, count + 1);
        }
        true
    }

    fn remove(&mut self, id: &Id) {
        let Some(peer) = self.owners.remove(id) else { return };
        match self.counts.get_mut(&peer) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(self.counts.remove(&peer)),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::io::Cursor;
    use libp2p::request_response::Codec as _;
    use tokio_util::compat::TokioAsyncReadCompatExt;

    use super::*;

    const CODEC: Codec = Codec { patience: Duration::from_secs(1) };
    const PROTOCOL: StreamProtocol = StreamProtocol::new("/test");

    fn reason(error: &io::Error) -> Option<&FetchError> {
        error.get_ref().and_then(|inner| inner.downcast_ref())
    }

    #[tokio::test]
    async fn replies_round_trip() {
        for reply in [Reply::Answer(Bytes::from_static(b"body")), Reply::Busy] {
            let mut wire = Cursor::new(Vec::new());
            let expected = format!("{reply:?}");
            CODEC.clone().write_response(&PROTOCOL, &mut wire, reply).await.unwrap();
            wire.set_position(0);
            let read = CODEC.clone().read_response(&PROTOCOL, &mut wire).await.unwrap();
            assert_eq!(format!("{read:?}"), expected);
        }
    }

    #[tokio::test]
    async fn refuses_lengths_over_the_bound_before_reading_on() {
        let over = u32::try_from(REQUEST_BYTES_MAX + 1).unwrap().to_be_bytes();
        let error =
            CODEC.clone().read_request(&PROTOCOL, &mut Cursor::new(over)).await.unwrap_err();
        let (bytes, bytes_max) = (REQUEST_BYTES_MAX + 1, REQUEST_BYTES_MAX);
        assert_eq!(reason(&error), Some(&FetchError::TooLong { bytes, bytes_max }));

        let over = [&[ANSWER][..], &u32::MAX.to_be_bytes()].concat();
        let error =
            CODEC.clone().read_response(&PROTOCOL, &mut Cursor::new(over)).await.unwrap_err();
        assert!(matches!(reason(&error), Some(FetchError::TooLong { .. })));
    }

    #[tokio::test]
    async fn refuses_cut_messages_and_unknown_statuses() {
        let cut = [0, 0, 0, 9, 1, 2];
        assert!(CODEC.clone().read_request(&PROTOCOL, &mut Cursor::new(cut)).await.is_err());
        let error =
            CODEC.clone().read_response(&PROTOCOL, &mut Cursor::new([7])).await.unwrap_err();
        assert_eq!(reason(&error), Some(&FetchError::Malformed));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_come_is_told_apart_from_a_peer_that_hangs_up() {
        let (near, _far) = tokio::io::duplex(64);
        let error = CODEC.clone().read_response(&PROTOCOL, &mut near.compat()).await.unwrap_err();
        assert_eq!(reason(&error), Some(&FetchError::Timeout));
    }

    #[test]
    fn exchanges_of_one_peer_are_bounded_and_free_their_place() {
        let mut under_way = Bounded::default();
        let (one, two) = (PeerId::random(), PeerId::random());
        assert!(under_way.insert(one, 1, 2) && under_way.insert(one, 2, 2));
        assert!(!under_way.insert(one, 3, 2));
        assert!(under_way.insert(two, 4, 2), "another peer has its own bound");
        under_way.remove(&1);
        under_way.remove(&1);
        assert!(under_way.insert(one, 5, 2));
        assert!(!under_way.insert(one, 6, 2));
        for id in [2, 4, 5] {
            under_way.remove(&id);
        }
        assert!(under_way.counts.is_empty() && under_way.owners.is_empty());
    }
}
