//! `GET /v1/rollups/{rollup}/stream`: the rollup's blocks as server-sent events, from any cursor.
//!
//! Storage is the queue. A subscriber is nothing but a cursor: whenever its connection can take
//! more, it gets the block at the cursor, from memory while that is recent and from storage
//! otherwise, and the cursor moves on by one. So no block can be skipped or sent twice, however
//! slow the reader is, and a slow reader costs the node no memory. One that had everything and fell
//! far behind is told so (`lagging`); one that takes nothing at all is cut by its connection.
//!
//! # Invariants
//! `next` is one above the last block sent. A heartbeat is sent only when nothing is left to send
//! and it names `next`.

use super::callers::Caller;
use super::error::{Code, Problem};
use super::frame;
use super::parameters::{Query, Rollup, bad, number};
use super::{App, StreamTurn};
use crate::ledger::{FrameView, RollupHead};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chorale_types::ids::{RollupId, Sequence};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::Instant;

/// Opens a stream.
pub(super) async fn stream(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    rollup: Rollup,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let from = Query::parse(&uri, &["from"])?.number("from")?;
    let resumed = last_event_id(&headers)?;
    let turn = app.stream_turn(caller)?;
    let id = rollup.id;
    // Subscribe before looking at the head, so that no block falls between the two.
    let Some(heads) = app.handles().ledger.watch(id) else {
        return Err(Problem::new(Code::UnknownRollup, format!("rollup {id} is not registered")));
    };
    let head = heads.borrow().sequence;
    let next = start(from, resumed, head)?;
    if next <= head {
        // A cursor that is not kept any more is refused here, while there is a status to say so.
        app.read(move |ledger| ledger.read_frame(id, next)).await?;
    }
    let heartbeat_at = Instant::now() + app.config().heartbeat;
    let subscriber =
        Subscriber { app, rollup: id, next, live: next > head, heads, heartbeat_at, _turn: turn };
    let events = futures::stream::unfold(subscriber, |mut subscriber| async move {
        let event = subscriber.next_event().await?;
        Some((Ok::<_, Infallible>(event), subscriber))
    });
    let mut response = Body::from_stream(events).into_response();
    let set = response.headers_mut();
    set.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    set.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The last cursor that the caller saw, which browsers and curl scripts send on their own.
fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let mut given = headers.get_all("last-event-id").iter();
    match (given.next(), given.next()) {
        (None, _) => Ok(None),
        (Some(id), None) => {
            let text = std::str::from_utf8(id.as_bytes()).unwrap_or("not UTF-8");
            number("last-event-id", text).map(Some)
        }
        (Some(_), Some(_)) => Err(bad("last-event-id", "given twice", "given once")),
    }
}

/// The first sequence to send.
fn start(from: Option<u64>, resumed: Option<u64>, head: Sequence) -> Result<Sequence, Problem> {
    let after_head = head.next();
    let next = match (resumed, from) {
        (Some(seen), _) => Sequence::new(seen).saturating_add(1),
        (None, Some(0)) => return Err(bad("from", "0", "1 or more: sequences start at 1")),
        (None, Some(from)) => Sequence::new(from),
        (None, None) => after_head,
    };
    if next > after_head || resumed == Some(u64::MAX) {
        let detail = format!("the next block is {after_head}; a stream starts there or below");
        return Err(Problem::new(Code::CursorInFuture, detail));
    }
    Ok(next)
}

/// One reader.
struct Subscriber {
    app: App,
    rollup: RollupId,
    /// The cursor.
    next: Sequence,
    /// Whether it had everything once since it was last told that it lags.
    live: bool,
    heads: watch::Receiver<RollupHead>,
    heartbeat_at: Instant,
    _turn: StreamTurn,
}

impl Subscriber {
    /// The next event; `None` ends the stream, and the reader comes back with its cursor.
    async fn next_event(&mut self) -> Option<Bytes> {
        loop {
            let stop = &self.app.handles().stop;
            if stop.is_cancelled() {
                return None;
            }
            let head = self.heads.borrow_and_update().sequence;
            if self.next <= head {
                return self.block(head).await;
            }
            self.live = true;
            tokio::select! {
                () = stop.cancelled() => return None,
                moved = self.heads.changed() => moved.ok()?,
                () = tokio::time::sleep_until(self.heartbeat_at) => {
                    self.heartbeat_at = Instant::now() + self.app.config().heartbeat;
                    if let Some(event) = self.heartbeat().await {
                        return Some(event);
                    }
                }
            }
        }
    }

    /// The block at the cursor, or word that the reader is far behind.
    async fn block(&mut self, head: Sequence) -> Option<Bytes> {
        let (rollup, next) = (self.rollup, self.next);
        if self.live && head.above(next) >= self.app.config().lagging_blocks {
            self.live = false;
            return Some(frame::lagging(rollup, next));
        }
        let event = match self.app.handles().ledger.cached(rollup, next) {
            Some(view) if frame::is_small(&view) => frame::event(&view),
            view => self.slow_block(view).await?,
        };
        self.next = next.next();
        self.live |= self.next > head;
        self.heartbeat_at = Instant::now() + self.app.config().heartbeat;
        Some(event)
    }

    /// A block that is large or not in memory.
    async fn slow_block(&self, view: Option<Arc<FrameView>>) -> Option<Bytes> {
        let (rollup, next) = (self.rollup, self.next);
        let read = self.app.read(move |ledger| {
            let view = view.map_or_else(|| ledger.read_frame(rollup, next), Ok)?;
            Ok(frame::event(&view))
        });
        read.await.inspect_err(|problem| tracing::warn!(%rollup, %next, ?problem, "stream")).ok()
    }

    /// "Nothing for you up to here"; `None` when a block came meanwhile.
    async fn heartbeat(&self) -> Option<Bytes> {
        let beat = self.app.heartbeat(self.rollup).await;
        let beat = beat.inspect_err(|problem| tracing::warn!(?problem, "heartbeat")).ok()??;
        (beat.next_sequence == self.next).then(|| beat.event.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start_of(from: Option<u64>, resumed: Option<u64>, head: u64) -> Result<u64, Code> {
        start(from, resumed, Sequence::new(head)).map(Sequence::get).map_err(|p| p.code)
    }

    #[test]
    fn a_stream_starts_where_the_caller_says() {
        assert_eq!(start_of(None, None, 9), Ok(10), "by default after the head");
        assert_eq!(start_of(Some(4), None, 9), Ok(4));
        assert_eq!(start_of(Some(10), None, 9), Ok(10));
        assert_eq!(start_of(Some(4), Some(7), 9), Ok(8), "the resumed cursor wins");
        assert_eq!(start_of(None, Some(0), 9), Ok(1));
        assert_eq!(start_of(None, Some(9), 9), Ok(10));
        assert_eq!(start_of(None, None, 0), Ok(1), "before the first block");
    }

    #[test]
    fn refuses_cursors_that_cannot_be() {
        assert_eq!(start_of(Some(0), None, 9), Err(Code::BadParameter));
        assert_eq!(start_of(Some(11), None, 9), Err(Code::CursorInFuture));
        assert_eq!(start_of(None, Some(10), 9), Err(Code::CursorInFuture));
        assert_eq!(start_of(Some(u64::MAX), None, 9), Err(Code::CursorInFuture));
        assert_eq!(start_of(None, Some(u64::MAX), 9), Err(Code::CursorInFuture));
    }
}
