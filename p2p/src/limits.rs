//! The bounds of the wire. Everything a peer can make this process hold or do has its bound here,
//! with what happens at the bound.

use std::time::Duration;

use chorale_types::limits;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Longest chain id in protocol names, in bytes.
pub const CHAIN_BYTES_MAX: usize = 128;

/// Largest timeout message, in bytes: it may carry a timeout certificate of the largest set.
pub const TIMEOUT_BYTES_MAX: usize = 256 * KIB;
/// Largest vote (or acknowledgement, or certificate), in bytes.
pub const VOTE_BYTES_MAX: usize = 128 * KIB;
/// Largest proposal, in bytes.
pub const PROPOSAL_BYTES_MAX: usize = MIB;
/// Largest batch message, in bytes.
pub const BATCH_BYTES_MAX: usize = MIB;
/// Largest sync message on a stream, in bytes. Larger answers travel by fetch.
pub const SYNC_BYTES_MAX: usize = 5 * MIB;

/// Bulk bytes (batches and sync) on their way to a peer that it has not yet reported as taken;
/// the writer starts no further bulk frame above this, so that a vote never waits behind more.
pub const BULK_IN_FLIGHT_BYTES_MAX: u64 = 4 * MIB as u64;
/// A reader reports what it took at least every so many bytes.
pub const REPORT_EVERY_BYTES: u64 = 256 * KIB as u64;
/// Bytes of events of one peer that may wait for the application. Its stream is not read beyond.
pub const EVENT_BYTES_PER_PEER_MAX: u32 = 8 * 1024 * 1024;
/// What an event costs on top of its bytes, so that empty messages are bounded too.
pub const EVENT_OVERHEAD_BYTES: usize = 512;
/// `Up` and `Down` notices of one peer that may wait for the application.
pub const NOTICES_PER_PEER_MAX: usize = 8;
/// Streams of one peer that may be drained at once; more is misbehaviour.
pub const INBOUND_STREAMS_PER_PEER_MAX: usize = 4;
/// Commands waiting for the swarm task; further ones are refused.
pub const COMMANDS_MAX: usize = 4_096;

/// Largest fetch request, in bytes.
pub const REQUEST_BYTES_MAX: usize = 64 * KIB;
/// Largest fetch response, in bytes.
pub const RESPONSE_BYTES_MAX: usize = 8 * MIB;
/// Unanswered fetch requests to one validator; further ones are refused at the caller.
pub const REQUESTS_PER_PEER_MAX: usize = 8;
/// Fetch requests of one follower under way at once; further ones are answered "busy".
pub const REQUESTS_PER_FOLLOWER_MAX: usize = 2;
/// Bytes of followers' requests that may wait for the application, all followers together.
pub const FOLLOWER_EVENT_BYTES_MAX: u32 = 2 * 1024 * 1024;

/// Bytes that an envelope adds to a message that travels by gossip.
pub const ENVELOPE_OVERHEAD_BYTES_MAX: usize = 256;
/// Largest gossiped message, in bytes.
pub const GOSSIP_BYTES_MAX: usize = PROPOSAL_BYTES_MAX + ENVELOPE_OVERHEAD_BYTES_MAX;
/// Envelopes that one peer may bring per second and member, and in one burst per member;
/// further ones are ignored and not forwarded.
pub const ENVELOPES_PER_SECOND_PER_MEMBER: u32 = 500;
/// Gossip messages waiting for one peer.
pub const GOSSIP_QUEUE_MAX: usize = 2_000;

/// Inbound handshakes under way at once, beyond which new ones are refused.
pub const PENDING_INBOUND_MAX: u32 = 128;
/// Outbound dials under way at once.
pub const PENDING_OUTBOUND_MAX: u32 = 512;
/// Inbound connections of one validator. One is kept; the others are being replaced.
pub const MEMBER_INBOUND_MAX: usize = 3;
/// Connections of one validator in both directions, replaced ones included.
pub const CONNECTIONS_PER_PEER_MAX: u32 = 5;
/// Multiplexed streams on one connection.
pub const STREAMS_PER_CONNECTION_MAX: usize = 128;
/// Inbound streams of one connection that negotiate their protocol at once.
pub const NEGOTIATING_STREAMS_MAX: usize = 64;
/// New connections are refused while the process uses more physical memory than this.
pub const MEMORY_BYTES_MAX: usize = 4 * 1024 * MIB;
/// A follower's connection that does nothing for this long is closed.
pub const FOLLOWER_IDLE: Duration = Duration::from_secs(600);

/// Shortest view timeout this crate runs with.
pub const VIEW_TIMEOUT_MIN: Duration = Duration::from_millis(50);
/// Longest view timeout this crate runs with.
pub const VIEW_TIMEOUT_MAX: Duration = Duration::from_secs(60);
/// Most follower connections that may be configured.
pub const FOLLOWER_SLOTS_MAX: u32 = 4_096;

// A batch of small transactions is largest: 16 bytes of framing each are allowed for.
const _: () = assert!(
    BATCH_BYTES_MAX >= limits::BATCH_BYTES_MAX + 16 * limits::BATCH_TRANSACTIONS_MAX + 4 * KIB
);
const _: () = assert!(SYNC_BYTES_MAX > limits::SYNC_BYTES_MAX + 512 * KIB);
const _: () = assert!(RESPONSE_BYTES_MAX > limits::SYNC_BYTES_MAX + 512 * KIB);
const _: () = assert!(SYNC_BYTES_MAX + EVENT_OVERHEAD_BYTES <= EVENT_BYTES_PER_PEER_MAX as usize);
const _: () = assert!(RESPONSE_BYTES_MAX <= u32::MAX as usize);
const _: () = assert!(PENDING_OUTBOUND_MAX as usize >= limits::VALIDATORS_MAX);
