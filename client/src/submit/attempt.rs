//! One call's transactions on their way: to the next node until everything is settled.

use super::Outcome;
use crate::api::{Hex, SubmitAnswer, SubmitRequest, SubmitResult, Taken};
use crate::backoff::Backoff;
use crate::client::Client;
use crate::error::ClientError;
use chorale_types::ids::RollupId;
use chorale_types::level::Level;
use chorale_types::transaction::transaction_id;
use std::time::Duration;
use tokio::time::Instant;

/// The longest a node is asked to wait in one call.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// How long beyond that wait an answer may take.
const ANSWER_GRACE: Duration = Duration::from_secs(5);

/// One call's transactions on their way.
pub(super) struct Attempt<'a, P> {
    rollup: RollupId,
    payloads: &'a [P],
    wait: Level,
    deadline: Instant,
    outcomes: Vec<Outcome>,
    /// Which still need something, by index.
    open: Vec<usize>,
}

impl<'a, P: AsRef<[u8]>> Attempt<'a, P> {
    pub(super) fn new(rollup: RollupId, payloads: &'a [P], wait: Level, deadline: Instant) -> Self {
        let unknown = |payload: &P| Outcome::Unknown {
            id: transaction_id(rollup, payload.as_ref()),
            why: "not tried yet".into(),
        };
        let outcomes = payloads.iter().map(unknown).collect();
        Self { rollup, payloads, wait, deadline, outcomes, open: (0..payloads.len()).collect() }
    }

    /// Tries until everything is settled or time is up.
    pub(super) async fn run(mut self, client: &Client) -> Vec<Outcome> {
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
