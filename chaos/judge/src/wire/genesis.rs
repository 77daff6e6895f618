//! What a chain starts from (section 8 of the document).

use super::batch::ROLLUPS_MAX;
use super::certificate::BlsBytes;
use super::signers::MEMBERS_MAX;
use super::{Blob, Id, List, layout};

/// Longest name of a chain, in bytes.
const NAME_MAX: usize = 32;

layout!(
    /// What a chain may choose.
    #[derive(Copy)]
    Params {
        /// How long a view may take, in milliseconds.
        view_timeout_ms: u64,
        /// A leader with work waits this long.
        block_interval_min_ms: u64,
        /// A leader without work waits this long.
        idle_block_interval_ms: u64,
        /// An owner cuts a batch after this.
        batch_interval_ms: u64,
        /// Most bytes of a lane above what is ordered.
        lane_quota_bytes: u64,
        /// Most bytes that a block newly orders.
        block_bytes_max: u64,
        /// How long an id is remembered, on the window's clock.
        dedup_ms: u64,
        /// And for how many heights.
        dedup_heights: u64,
        /// Slots of a validator in a cycle of leaders, on average.
        slots_per_validator: u16,
    }
);

layout!(
    /// A validator as genesis names it.
    Validator {
        /// Its name.
        name: Blob<NAME_MAX>,
        /// Its account.
        operator: [u8; 32],
        /// Signs votes.
        bls: [u8; 48],
        /// That it holds the secret of `bls`.
        possession: BlsBytes,
        /// Signs proposals and acknowledgements.
        network: [u8; 32],
        /// Its weight.
        stake: u64,
    }
);

layout!(
    /// A rollup as genesis registers it.
    Rollup {
        /// Its id.
        id: u64,
        /// Who may submit: 0, everyone.
        policy: u8,
        /// What it paid.
        deposit: u64,
    }
);

layout!(
    /// The document a chain starts from.
    GenesisFields {
        /// The chain's name.
        name: Blob<NAME_MAX>,
        /// Milliseconds since 1970.
        time: u64,
        /// What leaders are drawn from.
        seed: Id,
        /// What the chain chose.
        params: Params,
        /// The set.
        validators: List<Validator, MEMBERS_MAX>,
        /// The rollups, by rising id.
        rollups: List<Rollup, ROLLUPS_MAX>,
    }
);

layout!(
    /// A member as an epoch's description names it.
    Member {
        /// Its account.
        operator: [u8; 32],
        /// Signs votes.
        bls: [u8; 48],
        /// Signs proposals and acknowledgements.
        network: [u8; 32],
        /// Its weight.
        stake: u64,
    }
);

layout!(
    /// What the members of an epoch agree on.
    EpochInfo {
        /// Which.
        epoch: u64,
        /// Its first height.
        first: u64,
        /// Its last.
        last: u64,
        /// The set.
        members: List<Member, MEMBERS_MAX>,
        /// What leaders are drawn from.
        seed: Id,
        /// What the chain chose.
        params: Params,
    }
);
