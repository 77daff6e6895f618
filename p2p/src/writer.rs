//! Writes to one member, over whatever streams the swarm task hands it one after the other:
//! frames out by urgency, reports in.
//!
//! # Invariants
//! - One frame is written at a time, and no bulk frame is begun while more than
//!   [`limits::BULK_IN_FLIGHT_BYTES_MAX`](crate::limits::BULK_IN_FLIGHT_BYTES_MAX) bytes are on
//!   their way: an urgent frame waits for that much at most.
//! - A stream whose reader sends no reports is given up before three view timeouts have passed;
//!   reports come however slow the reader's application is and however full this direction.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::Stream;
use libp2p::swarm::ConnectionId;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::config::Class;
use crate::events::Event;
use crate::frame::{self, HEADER_BYTES, HEARTBEAT_BYTES, Kind, REPORT_BYTES, Report};
use crate::limits::BULK_IN_FLIGHT_BYTES_MAX;
use crate::metrics::Way;
use crate::reader::{Context, StreamEnd};
use crate::roster::{Peer, micros};

/// Bytes handed to the multiplexer at once: what it sends as one of its own frames.
const WRITE_BYTES: usize = 16 * 1024;

/// A stream that was opened to the peer.
pub(crate) struct Opened {
    pub(crate) connection: ConnectionId,
    pub(crate) stream: Stream,
}

/// A stream to the peer that ended.
pub(crate) struct Lost {
    pub(crate) peer: Arc<Peer>,
    pub(crate) connection: ConnectionId,
    pub(crate) end: StreamEnd,
}

/// The task of one member.
pub(crate) struct Writer {
    pub(crate) context: Context,
    pub(crate) peer: Arc<Peer>,
    pub(crate) streams: mpsc::Receiver<Opened>,
    pub(crate) losses: mpsc::UnboundedSender<Lost>,
    pub(crate) stop: CancellationToken,
}

impl Writer {
    /// Serves streams until the swarm task drops its end or the network stops.
    pub(crate) async fn run(mut self) {
        let stop = self.stop.clone();
        while let Some(Some(opened)) = stop.run_until_cancelled(self.streams.recv()).await {
            let Some(lost) = self.serve(opened).await else { return };
            if self.losses.send(lost).is_err() {
                return;
            }
        }
    }

    /// Serves one stream to its end; `None` when the application is gone.
    async fn serve(&self, opened: Opened) -> Option<Lost> {
        let Opened { connection, mut stream } = opened;
        let peer = &self.peer;
        self.set_open(true);
        let up = self.notice(Event::Up { peer: peer.index }).await;
        let end = match up {
            Some(()) => {
                self.stop.run_until_cancelled(write(&self.context, peer, &mut stream)).await
            }
            None => None,
        };
        self.set_open(false);
        peer.health.set_rtt(None);
        let Some(end) = end else {
            // Stopping: tell the peer, but do not wait for one that is stuck.
            let _ = timeout(self.context.timing.heartbeat, stream.close()).await;
            return None;
        };
        tracing::info!(peer = %peer.index, reason = %end, "stream to validator lost");
        self.notice(Event::Down { peer: peer.index }).await?;
        Some(Lost { peer: Arc::clone(peer), connection, end })
    }

    fn set_open(&self, open: bool) {
        let was = self.peer.health.outbound.swap(open, Ordering::Relaxed);
        if was != open {
            let change = if open { 1 } else { -1 };
            self.context.metrics.streams_out.inc_by(change);
        }
    }

    async fn notice(&self, event: Event) -> Option<()> {
        let permit = Arc::clone(&self.peer.notices).acquire_owned();
        let paid = self.stop.run_until_cancelled(permit).await?.ok()?;
        self.context.events.put(event, Some(paid)).ok()
    }
}

/// Writes to a stream until it ends.
pub(crate) async fn write<S>(context: &Context, peer: &Peer, stream: S) -> StreamEnd
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut from, mut to) = stream.split();
    let ledger = Ledger::default();
    let Err(end) = tokio::select! {
        end = send_frames(context, peer, &mut to, &ledger) => end,
        end = take_reports(context, peer, &mut from, &ledger) => end,
    };
    end
}

enum Never {}

/// What was sent and what the reader says about it, shared by the two halves.
#[derive(Default)]
struct Ledger {
    sent: AtomicU64,
    acknowledged: AtomicU64,
    /// The reader's application is behind.
    waiting: AtomicBool,
    /// Rung when the reader has taken more.
    progress: Notify,
}

impl Ledger {
    fn has_room(&self) -> bool {
        let sent = self.sent.load(Ordering::Relaxed);
        let in_flight = sent.saturating_sub(self.acknowledged.load(Ordering::Relaxed));
        in_flight < BULK_IN_FLIGHT_BYTES_MAX
    }
}

async fn send_frames<W: AsyncWrite + Unpin>(
    context: &Context,
    peer: &Peer,
    to: &mut W,
    ledger: &Ledger,
) -> Result<Never, StreamEnd> {
    let mut beat = Instant::now();
    loop {
        if Instant::now() >= beat {
            beat = Instant::now() + context.timing.heartbeat;
            let clock: [u8; HEARTBEAT_BYTES] = micros(context.start.elapsed()).max(1).to_be_bytes();
            send_frame(context, to, ledger, Kind::Heartbeat, &clock).await?;
        }
        let next = peer.outbox().pop(ledger.has_room());
        if let Some((class, bytes)) = next {
            send_message(context, to, ledger, class, &bytes).await?;
            continue;
        }
        to.flush().await?;
        tokio::select! {
            () = peer.wake.notified() => {}
            () = ledger.progress.notified() => {}
            () = sleep_until(beat) => {}
        }
    }
}

async fn send_message<W: AsyncWrite + Unpin>(
    context: &Context,
    to: &mut W,
    ledger: &Ledger,
    class: Class,
    bytes: &Bytes,
) -> Result<(), StreamEnd> {
    let whole = u64::try_from(HEADER_BYTES + bytes.len()).expect("a frame is far below 2^64");
    ledger.sent.fetch_add(whole, Ordering::Relaxed);
    send_frame(context, to, ledger, Kind::Message(class), bytes).await?;
    context.metrics.frame(Way::Out, class, bytes.len());
    Ok(())
}

/// Writes a frame, its header together with as much of its body as goes into one write.
async fn send_frame<W: AsyncWrite + Unpin>(
    context: &Context,
    to: &mut W,
    ledger: &Ledger,
    kind: Kind,
    body: &[u8],
) -> Result<(), StreamEnd> {
    let (head, rest) = body.split_at(body.len().min(WRITE_BYTES - HEADER_BYTES));
    let mut first = Vec::with_capacity(HEADER_BYTES + head.len());
    first.extend_from_slice(&frame::encode_header(kind, body.len()));
    first.extend_from_slice(head);
    write_live(context, to, ledger, &first).await?;
    write_live(context, to, ledger, rest).await
}

/// Writes all of `bytes`. Taking nothing for too long ends the stream, unless the reader says
/// that it is waiting for its own application.
async fn write_live<W: AsyncWrite + Unpin>(
    context: &Context,
    to: &mut W,
    ledger: &Ledger,
    bytes: &[u8],
) -> Result<(), StreamEnd> {
    let mut written = 0;
    while written < bytes.len() {
        match timeout(context.timing.stall, to.write(&bytes[written..])).await {
            Ok(Ok(0)) => return Err(StreamEnd::Closed),
            Ok(Ok(count)) => written += count,
            Ok(Err(error)) => return Err(error.into()),
            Err(_) if ledger.waiting.load(Ordering::Relaxed) => {}
            Err(_) => return Err(StreamEnd::Stalled),
        }
    }
    Ok(())
}

async fn take_reports<R: AsyncRead + Unpin>(
    context: &Context,
    peer: &Peer,
    from: &mut R,
    ledger: &Ledger,
) -> Result<Never, StreamEnd> {
    loop {
        let mut bytes = [0; REPORT_BYTES];
        match timeout(context.timing.silence, from.read_exact(&mut bytes)).await {
            Err(_) => return Err(StreamEnd::Silent),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(StreamEnd::Closed);
            }
            Ok(read) => read?,
        }
        let report = Report::decode(bytes, ledger.sent.load(Ordering::Relaxed))?;
        ledger.acknowledged.fetch_max(report.received, Ordering::Relaxed);
        ledger.waiting.store(report.waiting, Ordering::Relaxed);
        ledger.progress.notify_one();
        if report.echo > 0 {
            peer.health.set_rtt(round_trip(context.start.elapsed(), &report));
        }
    }
}

/// The age of the echoed heartbeat without the time that the reader held it.
fn round_trip(now: Duration, report: &Report) -> Option<Duration> {
    let away = micros(now).checked_sub(report.echo)?;
    away.checked_sub(u64::from(report.held_micros)).map(Duration::from_micros)
}

#[cfg(test)]
#[path = "writer/tests.rs"]
mod tests;
