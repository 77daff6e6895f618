//! The members of a simulated chain: their genesis, keys and set.

use super::crypto::{Cheap, CheapKey, sign_network};
use crate::rng::{Rng, Stream};
use chorale_types::batch::{Acknowledgement, BatchHeader};
use chorale_types::crypto::bls::{Bls, BlsSignature};
use chorale_types::crypto::ed25519::{PublicKey, SecretKey, Signature};
use chorale_types::crypto::hash::Digest;
use chorale_types::genesis::{
    Genesis, GenesisRollup, GenesisValidator, Params, Policy, possession_binding,
};
use chorale_types::ids::{RollupId, ValidatorIndex};
use chorale_types::message::ProposalVote;
use chorale_types::time::Timestamp;
use chorale_types::validators::ValidatorSet;
use chorale_types::vote::{TimeoutVote, Vote, VoteKind};
use std::sync::OnceLock;

/// Most members of a simulated chain.
pub const MEMBERS_MAX: usize = 16;

const CHAIN_NAME: &str = "simulated";
/// The wall clock when a run begins, in milliseconds since the epoch.
pub const WALL_START_MS: u64 = 1_700_000_000_000;

/// The chain, and every member's secret.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The document the chain starts from.
    pub genesis: Genesis,
    /// Its first set.
    pub set: ValidatorSet,
    secrets: Vec<CheapKey>,
}

impl Cluster {
    /// A chain of members with these stakes. `seed` decides the leader schedule.
    ///
    /// # Panics
    /// When there are more members than [`MEMBERS_MAX`].
    #[must_use]
    pub fn new(stakes: &[u64], rollups: &[RollupId], params: Params, seed: [u8; 32]) -> Self {
        let secrets: Vec<CheapKey> =
            (0..stakes.len()).map(|index| Cheap::secret_from_seed(&seed_of(index, 0))).collect();
        let member = |index: usize| {
            let (operator, network) = public_keys()[index];
            GenesisValidator {
                name: format!("node{index}"),
                operator,
                bls: Cheap::public(&secrets[index]),
                possession: Cheap::prove(
                    &secrets[index],
                    &possession_binding(CHAIN_NAME, &operator),
                ),
                network,
                stake: stakes[index],
            }
        };
        let genesis = Genesis {
            chain_name: CHAIN_NAME.to_owned(),
            time: Timestamp::from_millis(WALL_START_MS),
            seed: Digest::from_bytes(seed),
            params,
            validators: (0..stakes.len()).map(member).collect(),
            rollups: rollups
                .iter()
                .map(|id| GenesisRollup { id: *id, policy: Policy::Open, deposit: 0 })
                .collect(),
        };
        let set = genesis.first_set();
        Self { genesis, set, secrets }
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.secrets.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// The signer of one member.
    #[must_use]
    pub fn signer(&self, index: ValidatorIndex) -> Signer {
        let member = self.set.get(index).expect("an index of this cluster");
        Signer {
            index,
            chain: *self.set.chain(),
            secret: self.secrets[index.as_usize()],
            network: member.network,
        }
    }
}

/// What a host signs with.
#[derive(Clone, Copy, Debug)]
pub struct Signer {
    /// Whose signatures these are.
    pub index: ValidatorIndex,
    chain: Digest,
    secret: CheapKey,
    network: PublicKey,
}

impl Signer {
    /// Signs a vote.
    #[must_use]
    pub fn vote(&self, kind: VoteKind, vote: &Vote) -> BlsSignature {
        Cheap::sign(&self.secret, &vote.signing_bytes(kind, &self.chain))
    }

    /// Signs a timeout.
    #[must_use]
    pub fn timeout(&self, vote: &TimeoutVote) -> BlsSignature {
        Cheap::sign(&self.secret, &vote.signing_bytes(&self.chain))
    }

    /// Signs a proposal.
    #[must_use]
    pub fn proposal(&self, vote: &ProposalVote) -> Signature {
        sign_network(&self.network, &vote.signing_bytes(&self.chain))
    }

    /// Signs an acknowledgement.
    #[must_use]
    pub fn acknowledge(&self, statement: &Acknowledgement) -> Signature {
        sign_network(&self.network, &statement.signing_bytes(&self.chain))
    }

    /// Signs a batch as its owner.
    #[must_use]
    pub fn batch(&self, header: &BatchHeader) -> Signature {
        self.acknowledge(&header.acknowledgement())
    }
}

/// Any seed of a leader schedule.
#[must_use]
pub fn schedule_seed(seed: u64) -> [u8; 32] {
    Rng::new(seed, Stream::Plan).bytes32()
}

fn seed_of(index: usize, purpose: u8) -> [u8; 32] {
    let mut seed = [purpose; 32];
    seed[0] = u8::try_from(index).expect("few members");
    seed
}

/// Operator and network keys. They are real points, made once, because a genesis is checked for
/// that; nothing is ever signed with them.
fn public_keys() -> &'static [(PublicKey, PublicKey)] {
    static KEYS: OnceLock<Vec<(PublicKey, PublicKey)>> = OnceLock::new();
    let public = |index, purpose| SecretKey::from_seed(seed_of(index, purpose)).public();
    KEYS.get_or_init(|| (0..MEMBERS_MAX).map(|i| (public(i, 1), public(i, 2))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_genesis_is_one_that_a_chain_accepts() {
        let rollups = [RollupId::new(1), RollupId::new(2)];
        let cluster = Cluster::new(&[1; 7], &rollups, Params::default(), [9; 32]);
        assert_eq!(cluster.genesis.validate::<Cheap>(), Ok(()));
        assert_eq!(cluster.len(), 7);
        assert_eq!(cluster.set.quorum(), 5);
    }
}
