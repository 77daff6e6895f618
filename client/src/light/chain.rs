//! Which blocks are final: certificates and the hashes below them.
//!
//! # Invariants
//! `known` holds only hashes of blocks that a verified certificate made final.

use super::LightError;
use chorale_types::block::Header;
use chorale_types::certificate::CommitCert;
use chorale_types::crypto::hash::Digest;
use chorale_types::crypto::pure::Pure;
use chorale_types::genesis::Genesis;
use chorale_types::ids::Height;
use chorale_types::limits::{FRAME_HEADERS_MAX, FRAME_LINK_HEADERS_MAX};
use chorale_types::ordered::WindowRule;
use chorale_types::verify::Verifier;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Blocks known to be final that are remembered. The oldest are forgotten; one needed again is
/// proven again by its own certificate.
pub const FINAL_BLOCKS_MAX: usize = 16_384;
// What one frame's certificate proves is remembered whole, so that the next frame below the same
// certificate needs no second check of it.
const _: () = assert!(FRAME_HEADERS_MAX + FRAME_LINK_HEADERS_MAX <= FINAL_BLOCKS_MAX);

/// A chain as its genesis defines it, and what was proven of it so far. Shared by all clients of
/// one process, so that each block is proven once: a certificate is verified only when it shows
/// something new.
#[derive(Debug)]
pub struct Chain {
    genesis: Genesis,
    verifier: Verifier<Pure>,
    proven: Mutex<Proven>,
}

#[derive(Debug, Default)]
struct Proven {
    known: BTreeSet<Digest>,
    order: VecDeque<Digest>,
    verified: u64,
}

impl Proven {
    fn add(&mut self, block: Digest) {
        if self.known.insert(block) {
            self.order.push_back(block);
        }
        while self.order.len() > FINAL_BLOCKS_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }
}

impl Chain {
    /// The chain that starts from `genesis`, which the caller trusts: everything else is checked
    /// against it.
    ///
    /// # Errors
    /// When the document cannot be a genesis. That includes a missing proof of possession, without
    /// which certificates would prove nothing.
    pub fn new(genesis: Genesis) -> Result<Arc<Self>, LightError> {
        genesis.validate::<Pure>()?;
        let verifier = Verifier::new(genesis.first_set()).expect("a valid genesis has valid keys");
        Ok(Arc::new(Self { genesis, verifier, proven: Mutex::default() }))
    }

    /// The document it starts from.
    #[must_use]
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// How many certificates were verified so far.
    #[must_use]
    pub fn certificates_verified(&self) -> u64 {
        self.lock().verified
    }

    pub(super) fn rule(&self) -> WindowRule {
        WindowRule::from(&self.genesis.params)
    }

    fn lock(&self) -> MutexGuard<'_, Proven> {
        // What is inside is consistent after every statement.
        self.proven.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks that the first `needed` of `headers` are final: they follow each other by height and
    /// hash, and `certificate` is of the last one, or a block at or above them was proven before.
    pub(super) fn check_final(
        &self,
        headers: &[&Header],
        needed: usize,
        certificate: &CommitCert,
    ) -> Result<(), LightError> {
        let hashes: Vec<Digest> = headers.iter().map(|header| header.hash()).collect();
        check_links(headers, &hashes)?;
        let (Some(last), Some(hash)) = (headers.last(), hashes.last()) else {
            return Err(LightError::NoHeader);
        };
        let vote = certificate.vote();
        if vote.block != *hash || vote.height != last.height || last.height == Height::ZERO {
            return Err(LightError::OtherCertificate { got: vote.height, expected: last.height });
        }
        // Held while verifying, so that two clients never verify the same at once.
        let mut proven = self.lock();
        let mut proven_to = hashes.iter().rposition(|hash| proven.known.contains(hash));
        if proven_to.is_none_or(|index| index.saturating_add(1) < needed) {
            self.verifier.verify_qc(certificate.as_qc())?;
            proven.verified = proven.verified.saturating_add(1);
            proven_to = hashes.len().checked_sub(1);
        }
        proven.add(headers[0].parent);
        hashes.iter().take(proven_to.map_or(0, |i| i + 1)).for_each(|hash| proven.add(*hash));
        Ok(())
    }
}

fn check_links(headers: &[&Header], hashes: &[Digest]) -> Result<(), LightError> {
    let pairs = headers.iter().zip(headers.iter().skip(1)).zip(hashes);
    for ((lower, upper), hash) in pairs {
        if upper.parent != *hash || lower.height.saturating_add(1) != upper.height {
            return Err(LightError::BrokenChain { height: upper.height });
        }
    }
    Ok(())
}
