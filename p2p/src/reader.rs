//! Reads one stream of one member: frames in, reports out. A frame is put before the application
//! only when the member's budget allows; until then nothing further is read, and the writer at
//! the other end holds back.
//!
//! # Invariants
//! - Silence counts only while this end is waiting for bytes, never while it waits for its own
//!   application.
//! - At most one frame is in memory beyond the budget.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::config::{Class, Timing};
use crate::events::{Event, EventSink, cost};
use crate::frame::{self, FrameError, HEADER_BYTES, HEARTBEAT_BYTES, Kind, Report};
use crate::limits::REPORT_EVERY_BYTES;
use crate::metrics::{Metrics, Way};
use crate::roster::{Peer, micros};

/// What the stream tasks share, whichever peer they serve.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) timing: Timing,
    pub(crate) start: Instant,
    pub(crate) events: EventSink,
    pub(crate) metrics: Metrics,
}

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamEnd {
    #[error("the other end closed it")]
    Closed,
    #[error("nothing was heard for too long")]
    Silent,
    #[error("nothing was taken for too long")]
    Stalled,
    #[error("malformed: {0}")]
    Malformed(#[from] FrameError),
    #[error("broken: {0}")]
    Broken(#[from] io::Error),
    #[error("the application has stopped")]
    Stopped,
}

/// Reads a stream to its end.
pub(crate) async fn read<S>(context: &Context, peer: &Peer, stream: S) -> StreamEnd
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut from, mut to) = stream.split();
    let ledger = Ledger::default();
    let Err(end) = tokio::select! {
        end = take_frames(context, peer, &mut from, &ledger) => end,
        never = send_reports(context, &mut to, &ledger) => match never {},
    };
    end
}

/// What was taken so far, shared by the two halves.
#[derive(Default)]
struct Ledger {
    received: AtomicU64,
    waiting: AtomicBool,
    heartbeat: Mutex<Option<(u64, Instant)>>,
    /// Rung when a report should leave before its time.
    due: Notify,
}

impl Ledger {
    fn report(&self) -> Report {
        let heartbeat = *self.heartbeat.lock().unwrap_or_else(PoisonError::into_inner);
        let (echo, held) =
            heartbeat.map_or((0, 0), |(clock, came)| (clock, micros(came.elapsed())));
        Report {
            received: self.received.load(Ordering::Relaxed),
            echo,
            held_micros: u32::try_from(held).unwrap_or(u32::MAX),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }
}

enum Never {}

async fn take_frames<R: AsyncRead + Unpin>(
    context: &Context,
    peer: &Peer,
    from: &mut R,
    ledger: &Ledger,
) -> Result<Never, StreamEnd> {
    let mut unreported = 0;
    loop {
        let mut header = [0; HEADER_BYTES];
        read_live(context, peer, from, &mut header).await?;
        let (kind, length) = frame::decode_header(header)?;
        let mut body = vec![0; length];
        read_live(context, peer, from, &mut body).await?;
        let class = match kind {
            Kind::Message(class) => class,
            Kind::Heartbeat => {
                let clock: [u8; HEARTBEAT_BYTES] =
                    body.try_into().expect("the header allows no other length");
                let beat = Some((u64::from_be_bytes(clock), Instant::now()));
                *ledger.heartbeat.lock().unwrap_or_else(PoisonError::into_inner) = beat;
                ledger.due.notify_one();
                continue;
            }
        };
        context.metrics.frame(Way::In, class, length);
        deliver(context, peer, class, body.into(), ledger).await?;
        let taken = u64::try_from(HEADER_BYTES + length).expect("a frame is far below 2^64");
        ledger.received.fetch_add(taken, Ordering::Relaxed);
        unreported += taken;
        if unreported >= REPORT_EVERY_BYTES {
            unreported = 0;
            ledger.due.notify_one();
        }
    }
}

/// Fills `buffer`; any byte counts as a sign of life.
async fn read_live<R: AsyncRead + Unpin>(
    context: &Context,
    peer: &Peer,
    from: &mut R,
    buffer: &mut [u8],
) -> Result<(), StreamEnd> {
    let mut filled = 0;
    while filled < buffer.len() {
        let read = from.read(&mut buffer[filled..]);
        match timeout(context.timing.silence, read).await {
            Err(_) => return Err(StreamEnd::Silent),
            Ok(Ok(0)) => return Err(StreamEnd::Closed),
            Ok(Ok(bytes)) => filled += bytes,
            Ok(Err(error)) => return Err(error.into()),
        }
        peer.health.hear(context.start.elapsed());
    }
    Ok(())
}

/// Puts a message before the application, waiting for the peer's budget.
async fn deliver(
    context: &Context,
    peer: &Peer,
    class: Class,
    bytes: Bytes,
    ledger: &Ledger,
) -> Result<(), StreamEnd> {
    let price = cost(bytes.len());
    let paid = match Arc::clone(&peer.budget).try_acquire_many_owned(price) {
        Ok(paid) => paid,
        Err(_) => {
            // The writer must know that it is not being ignored.
            ledger.waiting.store(true, Ordering::Relaxed);
            ledger.due.notify_one();
            let paid = Arc::clone(&peer.budget).acquire_many_owned(price).await;
            ledger.waiting.store(false, Ordering::Relaxed);
            paid.map_err(|_| StreamEnd::Stopped)?
        }
    };
    let event = Event::Message { from: peer.index, class, bytes };
    context.events.put(event, Some(paid)).map_err(|_| StreamEnd::Stopped)
}

/// Reports for as long as somebody takes them. A writer that is gone is no reason to stop
/// reading: what it sent before is still here.
async fn send_reports<W: AsyncWrite + Unpin>(
    context: &Context,
    to: &mut W,
    ledger: &Ledger,
) -> Never {
    loop {
        let report = ledger.report().encode();
        let sent = async {
            to.write_all(&report).await?;
            to.flush().await
        };
        if let Err(error) = sent.await {
            tracing::debug!(%error, "reports are no longer taken");
            return std::future::pending().await;
        }
        // Time or bytes, whichever comes first; an elapsed wait is not an error here.
        let _ = timeout(context.timing.heartbeat, ledger.due.notified()).await;
    }
}
