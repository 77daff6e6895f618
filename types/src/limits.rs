//! Every bound in the system, in one place, with the relations between them checked at compile
//! time. A bound that a chain may choose is in [`crate::genesis::Params`]; here is what it may
//! choose from.

/// Most validators in a set.
pub const VALIDATORS_MAX: usize = 256;
/// Most rollups on one chain.
pub const ROLLUPS_MAX: usize = 1_024;
/// Longest chain name, in bytes.
pub const CHAIN_NAME_BYTES_MAX: usize = 32;

/// Largest transaction, in bytes.
pub const TRANSACTION_BYTES_MAX: usize = 128 * 1024;
/// Most transactions in one submit call.
pub const SUBMIT_TRANSACTIONS_MAX: usize = 1_024;
/// What a batch is charged for each of its transactions beside its bytes. What is kept and shown of
/// a transaction is more than its bytes: its id, and that and where it was delivered before.
pub const TRANSACTION_CHARGE_BYTES: usize = 192;
/// What a batch is charged for itself: its header and what shows which rollups it has.
pub const BATCH_CHARGE_BYTES: usize = 1_024;
/// Most charged bytes of one batch.
pub const BATCH_BYTES_MAX: usize = 512 * 1024;
/// Most transactions in one batch.
pub const BATCH_TRANSACTIONS_MAX: usize = 2_048;
/// Most batches of one lane above the ordered frontier.
pub const LANE_BATCHES_MAX: u64 = 512;
/// Most charged bytes of one lane above the ordered frontier that a genesis may allow.
pub const LANE_QUOTA_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Availability certificates of one lane kept above the ordered frontier; the lowest goes first.
pub const LANE_CERTIFICATES_MAX: usize = 32;
/// Bytes of one lane's batches that wait for a signature check or for their predecessor.
pub const LANE_WAITING_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Batches of its lane that an owner sends again for one status of a member.
pub const LANE_RESEND_BATCHES_MAX: usize = 16;
/// Bytes of its lane that an owner sends again for one status of a member.
pub const LANE_RESEND_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Acknowledgements of one lane sent again in a second because their batch came again.
pub const LANE_REPEATS_MAX: usize = 16;
/// Questions for batches or lane headers that wait for one peer's answer.
pub const FETCHES_PER_PEER_MAX: usize = 4;
/// Questions for batches or lane headers under way, each for at most [`SYNC_BYTES_MAX`].
pub const FETCHES_MAX: usize = 16;
/// Availability certificates asked for at once.
pub const CERTIFICATES_WANTED_MAX: usize = BLOCK_TIPS_MAX;

/// Most lane tips in one block: every lane of two epochs.
pub const BLOCK_TIPS_MAX: usize = 2 * VALIDATORS_MAX;
/// Most newly ordered charged bytes in one block that a genesis may allow.
pub const BLOCK_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A block whose ordered height lies further back than this must be empty.
pub const ORDERED_LAG_MAX: u64 = 16;
/// A fallback leader copies its parent's ordered pair while the lag is at most this.
pub const ORDERED_LAG_COPY_MAX: u64 = 8;
/// Own ordered roots kept to answer "what was the root at height h".
pub const ORDERED_ROOTS_KEPT: usize = 4_096;

/// How far above the current view votes and timeouts are kept.
pub const VIEWS_AHEAD_MAX: u64 = 16;
/// How far below the current view commit votes are still collected.
pub const VIEWS_BEHIND_MAX: u64 = 16;
/// Most uncommitted blocks held.
pub const UNCOMMITTED_BLOCKS_MAX: usize = 256;
/// Checked certificates remembered by hash.
pub const CHECKED_CERTIFICATES_MAX: usize = 1_024;
/// Messages of one peer that may wait for a signature check at once.
pub const CHECKS_PER_PEER_MAX: usize = 64;
/// How far a fresh block's time may run ahead of the voter's clock, in milliseconds.
pub const BLOCK_TIME_AHEAD_MS_MAX: u64 = 500;

/// Most blocks in one answer to a chain request.
pub const SYNC_BLOCKS_MAX: usize = 256;
/// Most heights from the own head up to a commit certificate from whose block the chain is fetched
/// downwards. A certificate further above is not used for that.
pub const SYNC_COVER_BLOCKS_MAX: u64 = 1 << 20;
/// Most batches asked for in one request.
pub const SYNC_BATCHES_MAX: usize = 32;
/// Most lane headers in one answer.
pub const SYNC_HEADERS_MAX: usize = 512;
/// Most bytes of bodies in one answer; an answer stops before it would pass this.
pub const SYNC_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Transactions waiting in a node's pool, per rollup.
pub const POOL_TRANSACTIONS_PER_ROLLUP_MAX: usize = 20_000;
/// Bytes waiting in a node's pool, per rollup.
pub const POOL_BYTES_PER_ROLLUP_MAX: usize = 16 * 1024 * 1024;
/// Transactions waiting in a node's pool; where many rollups share it, each has an equal part.
pub const POOL_TRANSACTIONS_MAX: usize = 320_000;
/// Bytes waiting in a node's pool; where many rollups share it, each has an equal part.
pub const POOL_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Most transactions that wait for one of so many rollups.
#[must_use]
pub fn queue_transactions_max(rollups: usize) -> usize {
    POOL_TRANSACTIONS_PER_ROLLUP_MAX.min(POOL_TRANSACTIONS_MAX / rollups.max(1))
}

/// Most bytes that wait for one of so many rollups.
#[must_use]
pub fn queue_bytes_max(rollups: usize) -> usize {
    POOL_BYTES_PER_ROLLUP_MAX.min(POOL_BYTES_MAX / rollups.max(1))
}

/// Longest encoded header, in bytes: with every optional field.
pub const HEADER_BYTES_MAX: usize = 320;
/// Headers that one stream frame spells out; over a longer gap it starts from an anchor.
pub const FRAME_HEADERS_MAX: usize = 64;
/// Most headers between a block and a certificate above it in a frame: over an hour of empty blocks
/// without a commit. A block further below its certificate cannot be proven to a client.
pub const FRAME_LINK_HEADERS_MAX: usize = 8_192;
/// A frame that spells out every block since the rollup's last one is at most this long, in bytes,
/// where it can start from an anchor instead.
pub const FRAME_SPELLED_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Longest encoded stream proof, in bytes. [`crate::rollup`] shows that none is longer.
pub const FRAME_PROOF_BYTES_MAX: usize = 68 * 1024 * 1024;
/// Ids of one rollup inside the dedup window that a client will download.
pub const WINDOW_IDS_MAX: usize = 16_000_000;

const _: () = assert!(
    BATCH_CHARGE_BYTES + TRANSACTION_CHARGE_BYTES + TRANSACTION_BYTES_MAX <= BATCH_BYTES_MAX
);
const _: () = assert!(
    BATCH_CHARGE_BYTES + BATCH_TRANSACTIONS_MAX * (TRANSACTION_CHARGE_BYTES + 1) <= BATCH_BYTES_MAX
);
const _: () = assert!((BATCH_BYTES_MAX as u64) <= LANE_QUOTA_BYTES_MAX);
const _: () = assert!(LANE_QUOTA_BYTES_MAX <= BLOCK_BYTES_MAX);
const _: () = assert!(ORDERED_LAG_COPY_MAX < ORDERED_LAG_MAX);
const _: () = assert!(ORDERED_LAG_MAX < FRAME_HEADERS_MAX as u64);
const _: () = assert!(ORDERED_LAG_MAX < ORDERED_ROOTS_KEPT as u64);
const _: () = assert!(SYNC_BLOCKS_MAX <= UNCOMMITTED_BLOCKS_MAX);
const _: () = assert!(SYNC_COVER_BLOCKS_MAX.is_multiple_of(SYNC_BLOCKS_MAX as u64));
const _: () = assert!(SYNC_BLOCKS_MAX as u64 <= SYNC_COVER_BLOCKS_MAX);
// What a node learnt by pieces is stored under the last certificate of each, and must be provable.
const _: () = assert!(SYNC_BLOCKS_MAX <= FRAME_LINK_HEADERS_MAX);
const _: () = assert!(HEADER_BYTES_MAX * FRAME_LINK_HEADERS_MAX <= FRAME_PROOF_BYTES_MAX / 3);
const _: () = assert!(BATCH_BYTES_MAX < SYNC_BYTES_MAX);
const _: () = assert!(VALIDATORS_MAX <= u16::MAX as usize);
const _: () = assert!(BATCH_BYTES_MAX <= LANE_WAITING_BYTES_MAX);
const _: () = assert!(BATCH_BYTES_MAX <= LANE_RESEND_BYTES_MAX);
const _: () = assert!(LANE_BATCHES_MAX <= SYNC_HEADERS_MAX as u64);
const _: () = assert!(POOL_BYTES_MAX / ROLLUPS_MAX >= TRANSACTION_BYTES_MAX);
const _: () = assert!(POOL_TRANSACTIONS_MAX / ROLLUPS_MAX >= 1);
