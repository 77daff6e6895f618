//! What happened in runs, counted: a clean result says nothing if the rare cases never came up.

use serde::Serialize;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident $(: $required:ident)?),* $(,)?) => {
        /// Counts of one run, or of many added up.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            /// Adds another run's.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }

            /// Every counter by name.
            #[must_use]
            pub fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name)),*]
            }

            /// Those that must be above zero for a result to mean anything, and are not.
            #[must_use]
            pub fn missing(&self) -> Vec<&'static str> {
                let mut missing = Vec::new();
                $($(
                    let $required = self.$name;
                    if $required == 0 { missing.push(stringify!($name)); }
                )?)*
                missing
            }
        }
    };
}

counters! {
    /// Views entered, the highest of each run.
    views: required,
    /// Blocks that became final, counted once a height.
    commits: required,
    /// Transactions answered `available` by an honest node.
    available: required,
    /// Transactions delivered.
    delivered: required,
    /// Views given up, counted once a replica.
    view_timeouts: required,
    /// Timeout certificates assembled.
    timeout_certs: required,
    /// Timeout certificates with a tip that must be proposed again.
    timeout_certs_with_tips: required,
    /// Blocks proposed again.
    reproposals: required,
    /// Certificates assembled from votes inside timeouts.
    backup_certs: required,
    /// Faults that were planned.
    faults: required,
    /// Of those, faults whose effect was seen.
    faults_felt: required,
    /// Nodes that stopped.
    crashes: required,
    /// Of those, with the power gone.
    power_cuts: required,
    /// Of all, after a vote record was durable and before what waited for it left.
    crashes_between_persist_and_send: required,
    /// Vote records torn by a crash.
    torn_vote_records: required,
    /// Times a node learnt final blocks from peers by certificate.
    catch_ups: required,
    /// Owners caught with two batches for one place, counted once a replica.
    lane_equivocations: required,
    /// Batches whose certificate was assembled while their owner was down or gone.
    rescues_of_dead_owners: required,
    /// Nodes destroyed with all their data.
    destroyed: required,
    /// Starts without a usable vote record: the node observes.
    observers: required,
    /// Messages a faulty member changed, made up or held back.
    tampered: required,
    /// Views in which a forker showed two blocks.
    forks_shown: required,
    /// Of those, views after which the second block had to be proposed again.
    forks_closed: required,
    /// Faults that honest replicas reported.
    reports: required,
    /// Proposals that honest replicas refused.
    refused_proposals,
    /// Things dropped at a bound.
    dropped,
    /// Messages delivered.
    messages: required,
    /// Messages that passed the wire as bytes.
    encoded: required,
    /// Steps of replicas.
    steps: required,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_is_required_and_zero_is_missing() {
        let mut counters = Counters::default();
        assert!(counters.missing().contains(&"reproposals"));
        assert!(!counters.missing().contains(&"dropped"));
        counters.add(&Counters { reproposals: 1, ..Counters::default() });
        assert!(!counters.missing().contains(&"reproposals"));
    }
}
