//! Answers verification jobs: one check of the sum, and bisection when it fails.

use super::crypto::{Cheap, check_network};
use chorale_consensus::job::{Check, Verdict, Work};
use chorale_types::batch::{Acknowledgement, Availability};
use chorale_types::crypto::bls::{Bls, BlsSignature};
use chorale_types::crypto::ed25519::Signature;
use chorale_types::ids::ValidatorIndex;
use chorale_types::message::ProposalVote;
use chorale_types::validators::ValidatorSet;
use chorale_types::verify::Verifier;

/// Checks signatures of the cheap scheme against one set.
#[derive(Clone, Debug)]
pub struct SimVerifier {
    bls: Verifier<Cheap>,
}

impl SimVerifier {
    /// Decodes the keys of a set.
    ///
    /// # Panics
    /// When a key is not of the cheap scheme.
    #[must_use]
    pub fn new(set: ValidatorSet) -> Self {
        Self { bls: Verifier::new(set).expect("keys of the cheap scheme") }
    }

    /// The verdict on a job.
    #[must_use]
    pub fn answer(&self, work: &Work) -> Verdict {
        match work {
            Work::All(checks) => {
                Verdict::All { good: checks.iter().all(|check| self.check(check)) }
            }
            Work::Votes { kind, vote, shares } => {
                let good = |shares: &[&(ValidatorIndex, BlsSignature)]| match shares {
                    [(signer, signature)] => {
                        self.bls.verify_vote(*kind, vote, *signer, signature).is_ok()
                    }
                    many => self.sum_is_good(many.iter().map(|share| (share.0, share.1)), |_| {
                        vote.signing_bytes(*kind, self.bls.set().chain())
                    }),
                };
                let bad = find_bad(shares, &good);
                verdict(shares, &bad, |share| share.0, |share| share.1)
            }
            Work::Timeouts { shares } => {
                let chain = self.bls.set().chain();
                let good = |part: &[&(ValidatorIndex, _, BlsSignature)]| match part {
                    [(signer, vote, signature)] => {
                        self.bls.verify_timeout(vote, *signer, signature).is_ok()
                    }
                    many => self.sum_is_good(many.iter().map(|share| (share.0, share.2)), |at| {
                        many[at].1.signing_bytes(chain)
                    }),
                };
                let bad = find_bad(shares, &good);
                verdict(shares, &bad, |share| share.0, |share| share.2)
            }
            Work::Acks { statement, shares } => {
                let bad = shares
                    .iter()
                    .filter(|(signer, signature)| !self.acknowledged(statement, *signer, signature))
                    .map(|(signer, _)| *signer)
                    .collect();
                Verdict::Shares { bad, aggregate: None }
            }
        }
    }

    fn sum_is_good(
        &self,
        shares: impl Iterator<Item = (ValidatorIndex, BlsSignature)>,
        message: impl Fn(usize) -> Vec<u8>,
    ) -> bool {
        let (mut groups, mut signatures) = (Vec::new(), Vec::new());
        for (at, (signer, signature)) in shares.enumerate() {
            let Some(key) = self.bls.set().get(signer).and_then(|v| Cheap::key(&v.bls).ok()) else {
                return false;
            };
            groups.push((key, message(at)));
            signatures.push(signature);
        }
        let groups: Vec<_> =
            groups.iter().map(|(key, message)| (vec![key], message.clone())).collect();
        Cheap::aggregate(&signatures).is_ok_and(|sum| Cheap::verify_groups(&groups, &sum).is_ok())
    }

    fn check(&self, check: &Check) -> bool {
        match check {
            Check::Entry(entry) => self.bls.verify_entry(entry).is_ok(),
            Check::Proposal(vote, leader, signature) => self.proposed(vote, *leader, signature),
            Check::Vote(kind, vote, signer, signature) => {
                self.bls.verify_vote(*kind, vote, *signer, signature).is_ok()
            }
            Check::Header(signed) => self.acknowledged(
                &signed.header.acknowledgement(),
                signed.header.lane.owner,
                &signed.signature,
            ),
            Check::Batch(batch) => {
                batch.validate().is_ok()
                    && self.acknowledged(
                        &batch.header.acknowledgement(),
                        batch.header.lane.owner,
                        &batch.owner_signature,
                    )
            }
            Check::Ack(statement, signer, signature) => {
                self.acknowledged(statement, *signer, signature)
            }
            Check::Availability(cert) => self.available(cert),
        }
    }

    fn proposed(&self, vote: &ProposalVote, leader: ValidatorIndex, signature: &Signature) -> bool {
        let set = self.bls.set();
        vote.epoch == set.epoch()
            && set.get(leader).is_some_and(|member| {
                check_network(&member.network, &vote.signing_bytes(set.chain()), signature)
            })
    }

    fn acknowledged(
        &self,
        statement: &Acknowledgement,
        signer: ValidatorIndex,
        signature: &Signature,
    ) -> bool {
        let set = self.bls.set();
        statement.lane.epoch == set.epoch()
            && set.get(signer).is_some_and(|member| {
                check_network(&member.network, &statement.signing_bytes(set.chain()), signature)
            })
    }

    /// Whether a quorum acknowledged.
    #[must_use]
    pub fn available(&self, cert: &Availability) -> bool {
        let set = self.bls.set();
        cert.signers.members() == set.len()
            && set.stake_of(&cert.signers) >= set.quorum()
            && cert.signatures.len() == cert.signers.count()
            && cert
                .signers
                .iter()
                .zip(&cert.signatures)
                .all(|(signer, signature)| self.acknowledged(&cert.statement, signer, signature))
    }
}

/// The places of bad shares, found by halving what fails.
fn find_bad<T>(shares: &[T], good: &impl Fn(&[&T]) -> bool) -> Vec<usize> {
    let mut bad = Vec::new();
    let all: Vec<&T> = shares.iter().collect();
    let mut open = vec![(0, shares.len())];
    while let Some((from, to)) = open.pop() {
        if from == to || good(&all[from..to]) {
            continue;
        }
        if to - from == 1 {
            bad.push(from);
            continue;
        }
        let middle = from + (to - from) / 2;
        open.extend([(from, middle), (middle, to)]);
    }
    bad.sort_unstable();
    bad
}

fn verdict<T>(
    shares: &[T],
    bad: &[usize],
    signer: impl Fn(&T) -> ValidatorIndex,
    signature: impl Fn(&T) -> BlsSignature,
) -> Verdict {
    let good: Vec<BlsSignature> =
        (0..shares.len()).filter(|at| !bad.contains(at)).map(|at| signature(&shares[at])).collect();
    let mut bad: Vec<ValidatorIndex> = bad.iter().map(|at| signer(&shares[*at])).collect();
    bad.sort_unstable();
    Verdict::Shares { bad, aggregate: Cheap::aggregate(&good).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::cluster::Cluster;
    use chorale_types::crypto::hash::Digest;
    use chorale_types::genesis::Params;
    use chorale_types::ids::{Epoch, Height, View};
    use chorale_types::vote::{TimeoutVote, Vote, VoteKind};

    fn cluster() -> Cluster {
        Cluster::new(&[1; 7], &[], Params::default(), [1; 32])
    }

    fn vote() -> Vote {
        let block = Digest::from_bytes([4; 32]);
        Vote { epoch: Epoch::new(1), view: View::new(3), height: Height::new(2), block }
    }

    fn index(n: u16) -> ValidatorIndex {
        ValidatorIndex::new(n)
    }

    #[test]
    fn bisection_finds_exactly_the_bad_shares() {
        let cluster = cluster();
        let verifier = SimVerifier::new(cluster.set.clone());
        for spoiled in [vec![], vec![0], vec![6], vec![1, 2, 5], vec![0, 1, 2, 3, 4, 5, 6]] {
            let share = |n: u16| {
                let kind = if spoiled.contains(&n) { VoteKind::Commit } else { VoteKind::Prepare };
                (index(n), cluster.signer(index(n)).vote(kind, &vote()))
            };
            let shares: Vec<_> = (0..7).map(share).collect();
            let kind = VoteKind::Prepare;
            let work = Work::Votes { kind, vote: vote(), shares: shares.clone() };
            let good: Vec<_> = shares
                .iter()
                .filter(|(signer, _)| !spoiled.contains(&signer.get()))
                .map(|(_, signature)| *signature)
                .collect();
            let bad = spoiled.iter().map(|n| index(*n)).collect();
            let aggregate = Cheap::aggregate(&good).ok();
            assert_eq!(verifier.answer(&work), Verdict::Shares { bad, aggregate });
        }
    }

    #[test]
    fn a_stranger_is_a_bad_share() {
        let cluster = cluster();
        let verifier = SimVerifier::new(cluster.set.clone());
        let kind = VoteKind::Prepare;
        let good = cluster.signer(index(0)).vote(kind, &vote());
        let shares = vec![(index(0), good), (index(99), good)];
        let verdict = verifier.answer(&Work::Votes { kind, vote: vote(), shares });
        assert_eq!(verdict, Verdict::Shares { bad: vec![index(99)], aggregate: Some(good) });
    }

    #[test]
    fn timeouts_of_several_reports_add_up() {
        let cluster = cluster();
        let verifier = SimVerifier::new(cluster.set.clone());
        let timeout = |n: u16, high_qc_view: u64| {
            let vote = TimeoutVote {
                epoch: Epoch::new(1),
                view: View::new(9),
                high_qc_view: View::new(high_qc_view),
                tip: None,
            };
            (index(n), vote, cluster.signer(index(n)).timeout(&vote))
        };
        let mut shares = vec![timeout(0, 3), timeout(1, 4), timeout(2, 3)];
        let sum =
            Cheap::aggregate(&shares.iter().map(|share| share.2).collect::<Vec<_>>()).unwrap();
        let verdict = verifier.answer(&Work::Timeouts { shares: shares.clone() });
        assert_eq!(verdict, Verdict::Shares { bad: vec![], aggregate: Some(sum) });
        shares[1].1.high_qc_view = View::new(8);
        let verdict = verifier.answer(&Work::Timeouts { shares });
        assert!(matches!(verdict, Verdict::Shares { bad, .. } if bad == [index(1)]));
    }
}
