//! How much of itself a node gives to its callers. The bounds that a caller meets are published
//! at `/v1/limits`.

use crate::config::Http;
use chorale_types::limits::{BATCH_BYTES_MAX, SUBMIT_TRANSACTIONS_MAX, TRANSACTION_BYTES_MAX};
use std::num::NonZeroU32;
use std::time::Duration;

/// Longest JSON body of a submit call: transactions of one full batch in hex, quotes, `0x` and a
/// comma around as many as a call may have, and a little white space.
pub const SUBMIT_BODY_BYTES_MAX: usize = 2 * BATCH_BYTES_MAX + 8 * SUBMIT_TRANSACTIONS_MAX + 1_024;
const _: () = assert!(SUBMIT_BODY_BYTES_MAX > 2 * TRANSACTION_BYTES_MAX + 64);

/// Most rollup blocks in one answer.
pub const BLOCKS_LIMIT_MAX: u64 = 64;
/// How many there are when the caller does not say.
pub const BLOCKS_LIMIT_DEFAULT: u64 = 16;
/// An answer of rollup blocks ends with the one that brings it over this many bytes.
pub const BLOCKS_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Longest a submit call may wait for its level, in milliseconds.
pub const WAIT_TIMEOUT_MS_MAX: u64 = 60_000;
/// How long it waits when the caller does not say.
pub const WAIT_TIMEOUT_MS_DEFAULT: u64 = 10_000;

/// Longest request head: request line and headers together, in bytes.
pub(super) const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Most headers in a request.
pub(super) const HEADERS_MAX: usize = 64;

/// What the interface may use. Every field is a bound that the tests can lower.
#[derive(Clone, Copy, Debug)]
pub struct ApiConfig {
    /// Connections at once; one more is refused as `overloaded` and closed.
    pub connections_max: usize,
    /// Of these, connections of one address; one more is refused as `address_limit` and closed.
    pub connections_per_address: usize,
    /// Streams at once; one more is refused as `overloaded`.
    pub streams_max: usize,
    /// Of these, streams of one address; one more is refused as `address_limit`.
    pub streams_per_address: usize,
    /// Whether callers on this machine have the bounds by address too. They share one address: a
    /// proxy in front of the node, a test network.
    pub counts_loopback: bool,
    /// Submit calls at once, waiting ones included; one more is refused as `overloaded`.
    pub submits_max: usize,
    /// Reads of storage at once; one more waits for its turn.
    pub reads_max: usize,
    /// Submit bodies taken apart at once; one more waits for its turn.
    pub prepares_max: usize,
    /// Bytes of submit bodies held at once, over all calls.
    pub body_bytes_max: usize,
    /// How long a request head may take, and a connection without request may stay.
    pub head_timeout: Duration,
    /// How long a body may take.
    pub body_timeout: Duration,
    /// How long a caller may accept no byte of an answer; then its connection is cut.
    pub write_stall: Duration,
    /// How long a stream stays silent before a heartbeat.
    pub heartbeat: Duration,
    /// How many blocks a reader that had everything may fall behind before it is told so.
    pub lagging_blocks: u64,
    /// How long answers under way may take when the node stops.
    pub drain: Duration,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            connections_max: connections_max(),
            connections_per_address: part(connections_max()),
            streams_max: connections_max() / 4,
            streams_per_address: part(connections_max() / 4),
            counts_loopback: false,
            submits_max: connections_max() / 2,
            reads_max: 8,
            prepares_max: 4,
            body_bytes_max: 64 * 1024 * 1024,
            head_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(15),
            write_stall: Duration::from_secs(20),
            heartbeat: Duration::from_secs(5),
            lagging_blocks: 256,
            drain: Duration::from_secs(5),
        }
    }
}

impl ApiConfig {
    /// With what an operator decided about the interface. No address gets more than there is.
    #[must_use]
    pub fn with(self, http: &Http) -> Self {
        let chosen = |wish: Option<NonZeroU32>, otherwise: usize, max: usize| {
            let wish = wish.map(|n| usize::try_from(n.get()).unwrap_or(usize::MAX));
            wish.unwrap_or(otherwise).min(max)
        };
        Self {
            connections_per_address: chosen(
                http.connections_per_address,
                self.connections_per_address,
                self.connections_max,
            ),
            streams_per_address: chosen(
                http.streams_per_address,
                self.streams_per_address,
                self.streams_max,
            ),
            ..self
        }
    }
}

/// What one address may have of `all` if the operator does not say: it takes eight of them to
/// leave nothing for others.
fn part(all: usize) -> usize {
    (all / 8).max(1)
}

/// At most 2,048, and half of the files this process may open: storage and peers need the rest.
fn connections_max() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let half = files.map_or(u64::MAX, |files| files / 2);
    usize::try_from(half.min(2_048)).expect("at most 2,048")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_chooses_what_one_address_gets_of_what_there_is() {
        let bounds = ApiConfig { connections_max: 100, streams_max: 25, ..ApiConfig::default() };
        let listen = "127.0.0.1:0".parse().unwrap();
        let http = |connections: Option<u32>, streams: Option<u32>| Http {
            listen,
            connections_per_address: connections.and_then(NonZeroU32::new),
            streams_per_address: streams.and_then(NonZeroU32::new),
        };
        let chosen = |http: Http| {
            let with = bounds.with(&http);
            (with.connections_per_address, with.streams_per_address)
        };
        assert_eq!(chosen(http(Some(7), Some(3))), (7, 3));
        assert_eq!(chosen(http(Some(u32::MAX), Some(26))), (100, 25));
        let free = ApiConfig { connections_per_address: 12, streams_per_address: 3, ..bounds };
        assert_eq!(free.with(&http(None, None)).connections_per_address, 12);
        assert_eq!(free.with(&http(None, None)).streams_per_address, 3);
    }

    #[test]
    fn one_address_has_a_part_by_default_and_never_nothing() {
        assert_eq!((part(2_048), part(512), part(7), part(0)), (256, 64, 1, 1));
    }
}
