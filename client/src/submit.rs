//! Submitting, again if need be. The same bytes are the same transaction, so a retry can never
//! put it into the stream twice.

use crate::api::{Hex, Place, SubmitAnswer, SubmitRequest, SubmitResult, Taken};
use crate::backoff::Backoff;
use crate::client::Client;
use crate::error::ClientError;
use chorale_types::ids::RollupId;
use chorale_types::level::Level;
use chorale_types::limits::{BATCH_BYTES_MAX, SUBMIT_TRANSACTIONS_MAX};
use chorale_types::transaction::{TransactionId, transaction_id};
use std::time::Duration;
use tokio::time::Instant;

/// The longest a node is asked to wait in one call.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// How long beyond that wait an answer may take.
const ANSWER_GRACE: Duration = Duration::from_secs(5);

/// What to wait for, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct SubmitOptions {
    /// The level to wait for. [`Level::Available`] is the first with a promise.
    pub wait: Level,
    /// How long to try, over all nodes and retries.
    pub patience: Duration,
}

impl Default for SubmitOptions {
    fn default() -> Self {
        Self { wait: Level::Available, patience: Duration::from_secs(30) }
    }
}

/// What became of a transaction. Levels and places are the word of the node that answered; the
/// proof comes with the rollup's stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// A node took it.
    Submitted {
        /// Its id.
        id: TransactionId,
        /// The level reached: the one asked for, or a lower one when time ran out.
        level: Level,
        /// Whether a node had it already.
        already_known: bool,
        /// Where it is, once ordered.
        place: Option<Place>,
    },
    /// A node refused it for a reason that another try does not change.
    Refused {
        /// Its id.
        id: TransactionId,
        /// The stable code.
        code: String,
        /// For people.
        detail: String,
    },
    /// Nobody answered for it in time. It may or may not be ordered; submitting the same bytes
    /// again is safe.
    Unknown {
        /// Its id.
        id: TransactionId,
        /// The last failure.
        why: String,
    },
}

impl Outcome {
    /// The transaction's id.
    #[must_use]
    pub const fn id(&self) -> &TransactionId {
        match self {
            Self::Submitted { id, .. } | Self::Refused { id, .. } | Self::Unknown { id, .. } => id,
        }
    }

    /// The level reached, when it was taken.
    #[must_use]
    pub const fn level(&self) -> Option<Level> {
        match self {
            Self::Submitted { level, .. } => Some(*level),
            Self::Refused { .. } | Self::Unknown { .. } => None,
        }
    }
}

impl Client {
    /// Submits one transaction. Overload, connection failures and a level not reached are tried
    /// again at the next node, until the patience is spent.
    pub async fn submit(
        &self,
        rollup: RollupId,
        payload: &[u8],
        options: SubmitOptions,
    ) -> Outcome {
        let mut outcomes = self.submit_many(rollup, &[payload], options).await;
        outcomes.pop().expect("one outcome for each transaction")
    }

    /// Submits several transactions, in calls as large as the interface allows; one outcome for
    /// each, in order. A later call starts only when the one before is settled.
    pub async fn submit_many<P: AsRef<[u8]> + Sync>(
        &self,
        rollup: RollupId,
        payloads: &[P],
        options: SubmitOptions,
    ) -> Vec<Outcome> {
        let deadline = Instant::now() + options.patience;
        let mut outcomes = Vec::with_capacity(payloads.len());
        let mut rest = payloads;
        while !rest.is_empty() {
            let (call, later) = rest.split_at(call_size(rest));
            let attempt = Attempt::new(rollup, call, options.wait, deadline);
            outcomes.extend(attempt.run(self).await);
            rest = later;
        }
        outcomes
    }
}

/// How many of the next transactions fit into one call: as many as are allowed, and no more bytes
/// than a batch holds, at least one.
fn call_size<P: AsRef<[u8]>>(payloads: &[P]) -> usize {
    let mut bytes = 0_usize;
    let fits = payloads.iter().take(SUBMIT_TRANSACTIONS_MAX).take_while(|payload| {
        bytes = bytes.saturating_add(payload.as_ref().len());
        bytes <= BATCH_BYTES_MAX
    });
    fits.count().max(1)
}

/// One call's transactions on their way.
struct Attempt<'a, P> {
    rollup: RollupId,
    payloads: &'a [P],
    wait: Level,
    deadline: Instant,
    outcomes: Vec<Outcome>,
    /// Which still need something, by index.
    open: Vec<usize>,
}

impl<'a, P: AsRef<[u8]>> Attempt<'a, P> {
    fn new(rollup: RollupId, payloads: &'a [P], wait: Level, deadline: Instant) -> Self {
        let unknown = |payload: &P| Outcome::Unknown {
            id: transaction_id(rollup, payload.as_ref()),
            why: "not tried yet".into(),
        };
        let outcomes = payloads.iter().map(unknown).collect();
        Self { rollup, payloads, wait, deadline, outcomes, open: (0..payloads.len()).collect() }
    }

    /// Tries until everything is settled or time is up.
    async fn run(mut self, client: &Client) -> Vec<Outcome> {
        let mut backoff = Backoff::default();
        let first = client.preferred();
        for round in 0_usize.. {
            let left = self.deadline.saturating_duration_since(Instant::now());
            if self.open.is_empty() || (round > 0 && left.is_zero()) {
                break;
            }
            let at = first.wrapping_add(round);
            match self.call(client, at, left.min(WAIT_MAX)).await {
                Ok(answer) => {
                    client.prefer(at);
                    self.take(&client.name(at), answer);
                }
                Err(error) => self.fail(&error),
            }
            // A pause after each round over all nodes, not after each node.
            if !self.open.is_empty() && round.wrapping_add(1) % client.endpoints() == 0 {
                tokio::time::sleep_until((Instant::now() + backoff.next()).min(self.deadline))
                    .await;
            }
        }
        self.outcomes
    }

    async fn call(
        &self,
        client: &Client,
        at: usize,
        wait: Duration,
    ) -> Result<SubmitAnswer, ClientError> {
        let path = format!("v1/rollups/{}/transactions", self.rollup);
        let timeout_ms = wait.as_millis().max(1).to_string();
        let request = client
            .post(at, &path)
            .query(&[("wait", self.wait.to_string()), ("timeout_ms", timeout_ms)])
            .timeout(wait.saturating_add(ANSWER_GRACE));
        let payloads = self.open.iter().map(|index| self.payloads[*index].as_ref());
        let request = match self.open.as_slice() {
            [only] => {
                let body = self.payloads[*only].as_ref().to_vec();
                request.header("content-type", "application/octet-stream").body(body)
            }
            _ => {
                let transactions = payloads.map(|payload| Hex(payload.to_vec())).collect();
                request.json(&SubmitRequest { transactions })
            }
        };
        let response = client.send(at, request).await?;
        client.json(at, response).await
    }

    /// Enters what a node answered.
    fn take(&mut self, endpoint: &str, answer: SubmitAnswer) {
        let open = std::mem::take(&mut self.open);
        if answer.transactions.len() != open.len() {
            let why = format!("{} answers for {}", answer.transactions.len(), open.len());
            self.open = open;
            self.fail(&ClientError::BadAnswer { endpoint: endpoint.into(), why });
            return;
        }
        for (index, result) in open.into_iter().zip(answer.transactions) {
            let id = *self.outcomes[index].id();
            let settled = match result {
                SubmitResult::Taken(taken) if taken.id == id => self.taken(index, &taken),
                SubmitResult::Refused { id: named, error } if named == id => {
                    self.refused(index, error.code, error.detail)
                }
                SubmitResult::Taken(_) | SubmitResult::Refused { .. } => {
                    self.note(index, format!("{endpoint} answered with another id"));
                    false
                }
            };
            if !settled {
                self.open.push(index);
            }
        }
    }

    /// Settled when the level is reached. A lower level is kept, and raised by later answers.
    fn taken(&mut self, index: usize, taken: &Taken) -> bool {
        let Taken { id, level, already_known, place, .. } = *taken;
        if self.outcomes[index].level() <= Some(level) {
            self.outcomes[index] = Outcome::Submitted { id, level, already_known, place };
        }
        level >= self.wait
    }

    /// Settled when another try would change nothing.
    fn refused(&mut self, index: usize, code: String, detail: String) -> bool {
        if is_passing(&code) {
            self.note(index, format!("{detail} ({code})"));
            return false;
        }
        // A node that took it before is believed over one that refuses it now.
        if let Outcome::Unknown { id, .. } = self.outcomes[index] {
            self.outcomes[index] = Outcome::Refused { id, code, detail };
        }
        true
    }

    fn note(&mut self, index: usize, text: String) {
        if let Outcome::Unknown { why, .. } = &mut self.outcomes[index] {
            *why = text;
        }
    }

    /// The whole call failed.
    fn fail(&mut self, error: &ClientError) {
        let open = std::mem::take(&mut self.open);
        for index in open {
            let settled = match error {
                ClientError::Refused { problem, .. } if !error.is_passing() => {
                    self.refused(index, problem.code.clone(), problem.detail.clone())
                }
                _ => {
                    self.note(index, error.to_string());
                    false
                }
            };
            if !settled {
                self.open.push(index);
            }
        }
    }
}

/// Refusals that another node, or the same one later, may not repeat.
fn is_passing(code: &str) -> bool {
    matches!(code, "queue_full" | "not_ready" | "no_lane" | "overloaded")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_stay_inside_the_bounds_and_always_move() {
        let small = vec![vec![0_u8; 10]; 3_000];
        assert_eq!(call_size(&small), SUBMIT_TRANSACTIONS_MAX);
        let large = vec![vec![0_u8; 200 * 1024]; 5];
        assert_eq!(call_size(&large), 2);
        assert_eq!(call_size(&[vec![0_u8; 2 * BATCH_BYTES_MAX]]), 1);
    }
}
