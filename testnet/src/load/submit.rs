//! Carries one request to a node and finds out what became of each transaction in it. When no
//! answer comes, the same bytes go to another node: their id is the same everywhere, so they are
//! ordered once however many nodes took them.

use super::account::Signed;
use super::run::Events;
use super::supply::LaneOf;
use crate::clock::now_ns;
use crate::record::{self, History};
use crate::track::{Outcome, Request, Tracker};
use chorale_client::api::{Problem, SubmitAnswer, SubmitResult};
use chorale_types::level::Level;
use chorale_types::transaction::TransactionId;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Nodes that a request is offered to before its fate is called unknown.
const ATTEMPTS_MAX: usize = 3;
/// How long a node is asked to wait for `available`.
const WAIT_MS: u64 = 10_000;
/// Longest wait for an answer: the node's own limit and some room.
const ANSWER_LIMIT: Duration = Duration::from_millis(WAIT_MS + 2_000);
/// Longest wait for a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);
/// Pause before another node is tried.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// A transaction that a node answered with `available` or better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The node's name.
    pub node: String,
    /// The rollup.
    pub rollup: u64,
    /// The transaction.
    pub id: TransactionId,
    /// When the answer was read, in monotonic nanoseconds.
    pub at: u64,
}

/// What a whole request came to.
enum Reply {
    Each(Vec<SubmitResult>),
    Refused(String),
    /// No answer; `sent` is false if certainly nothing reached the node.
    Nothing {
        sent: bool,
        why: String,
    },
}

/// Sends requests; shared by all of them.
pub struct Sender {
    client: reqwest::Client,
    nodes: Vec<(String, String)>,
    tracker: Arc<Mutex<Tracker>>,
    history: History,
    events: Arc<Events>,
}

impl Sender {
    /// A sender to these nodes, given as (name, base URL).
    ///
    /// # Errors
    /// When the system offers no sockets.
    pub fn new(
        nodes: Vec<(String, String)>,
        tracker: Arc<Mutex<Tracker>>,
        history: History,
        events: Arc<Events>,
    ) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .timeout(ANSWER_LIMIT)
            .connect_timeout(CONNECT_LIMIT)
            .tcp_nodelay(true)
            .no_proxy()
            .build()?;
        Ok(Self { client, nodes, tracker, history, events })
    }

    /// The record that outcomes go to.
    pub fn tracker(&self) -> MutexGuard<'_, Tracker> {
        self.tracker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The history of what was sent.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// Sends one request of lane number `lane` and records how it ended.
    pub async fn send(&self, number: u64, lane: usize, of: LaneOf, batch: Vec<Signed>) {
        let at = now_ns();
        self.tracker().on_invoke(Request { number, lane, at }, &batch);
        if self.history.is_kept() {
            let node = &self.nodes[of.node].0;
            self.history.write(batch.iter().enumerate().map(|(index, signed)| {
                record::invoke(at, &signed.id.to_string(), of.rollup_id, node, number, index)
            }));
        }
        let body = body_of(&batch);
        let (mut maybe_sent, mut why) = (false, String::new());
        for attempt in 0..ATTEMPTS_MAX.min(self.nodes.len()) {
            let (name, base) = &self.nodes[(of.node + attempt) % self.nodes.len()];
            if attempt > 0 {
                tokio::time::sleep(RETRY_PAUSE).await;
                self.note_retry(&batch, name);
            }
            match self.post(base, of.rollup_id, body.clone()).await {
                Reply::Each(answers) => {
                    self.settle(name, &batch, &answers, maybe_sent);
                    return self.tell(name, of.rollup_id, &batch, &answers);
                }
                Reply::Refused(code) => {
                    return self.end_all(&batch, name, &refusal(maybe_sent, code), None);
                }
                Reply::Nothing { sent, why: reason } => {
                    maybe_sent |= sent;
                    why = reason;
                }
            }
        }
        let outcome = refusal(maybe_sent, "unreachable".to_owned());
        self.end_all(&batch, "", &outcome, Some(&why));
    }

    async fn post(&self, base: &str, rollup: u64, body: String) -> Reply {
        let url =
            format!("{base}/v1/rollups/{rollup}/transactions?wait=available&timeout_ms={WAIT_MS}");
        let request = self.client.post(url).header("content-type", "application/json").body(body);
        let nothing = |error: &reqwest::Error| Reply::Nothing {
            sent: !error.is_connect(),
            why: reason(error).to_owned(),
        };
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return nothing(&error),
        };
        let status = response.status();
        let text = match response.bytes().await {
            Ok(text) => text,
            Err(error) => return nothing(&error),
        };
        if !status.is_success() {
            let problem = serde_json::from_slice::<Problem>(&text);
            return Reply::Refused(problem.map_or_else(|_| status.to_string(), |p| p.code));
        }
        match serde_json::from_slice::<SubmitAnswer>(&text) {
            Ok(answers) => Reply::Each(answers.transactions),
            Err(error) => Reply::Nothing { sent: true, why: format!("unreadable answer: {error}") },
        }
    }

    fn note_retry(&self, batch: &[Signed], node: &str) {
        let mut tracker = self.tracker();
        batch.iter().for_each(|signed| tracker.on_retry(&signed.id));
        drop(tracker);
        if self.history.is_kept() {
            let at = now_ns();
            self.history.write(batch.iter().map(|s| record::retry(at, &s.id.to_string(), node)));
        }
    }

    fn settle(&self, node: &str, batch: &[Signed], answers: &[SubmitResult], maybe_sent: bool) {
        let at = now_ns();
        if answers.len() != batch.len() {
            self.tracker().on_unverifiable();
            let why = format!("{} answers to {} transactions", answers.len(), batch.len());
            return self.end_all(batch, node, &Outcome::Unknown, Some(&why));
        }
        for (signed, answer) in batch.iter().zip(answers) {
            let outcome = outcome_of(signed, answer, maybe_sent);
            let Some(outcome) = outcome else {
                self.tracker().on_unverifiable();
                self.end(at, signed, node, &Outcome::Unknown, Some("answer about another id"));
                continue;
            };
            let level = level_of(answer).map(|level| level.to_string());
            self.end(at, signed, node, &outcome, level.as_deref());
        }
    }

    fn tell(&self, node: &str, rollup: u64, batch: &[Signed], answers: &[SubmitResult]) {
        let good = |answer: &SubmitResult| level_of(answer) >= Some(Level::Available);
        if let Some((signed, _)) = batch.iter().zip(answers).rfind(|(_, a)| good(a)) {
            let (node, id) = (node.to_owned(), signed.id);
            self.events.answered.send_replace(Some(Answered { node, rollup, id, at: now_ns() }));
        }
    }

    fn end_all(&self, batch: &[Signed], node: &str, outcome: &Outcome, detail: Option<&str>) {
        let at = now_ns();
        batch.iter().for_each(|signed| self.end(at, signed, node, outcome, detail));
    }

    fn end(&self, at: u64, signed: &Signed, node: &str, outcome: &Outcome, detail: Option<&str>) {
        self.tracker().on_outcome(&signed.id, at, outcome);
        if !self.history.is_kept() {
            return;
        }
        let (id, detail) = (signed.id.to_string(), detail.unwrap_or("no answer"));
        self.history.write([match outcome {
            Outcome::Submitted => record::ok(at, &id, node, detail),
            Outcome::Refused(code) => record::fail(at, &id, code),
            Outcome::Unknown => record::unknown(at, &id, detail),
        }]);
    }
}

/// A refusal settles nothing for bytes that an earlier attempt may have left with another node.
fn refusal(maybe_sent: bool, code: String) -> Outcome {
    if maybe_sent { Outcome::Unknown } else { Outcome::Refused(code) }
}

/// What an answer says about a transaction; `None` if it is about another one.
fn outcome_of(signed: &Signed, answer: &SubmitResult, maybe_sent: bool) -> Option<Outcome> {
    let (id, outcome) = match answer {
        SubmitResult::Refused { id, error } => (id, refusal(maybe_sent, error.code.clone())),
        SubmitResult::Taken(taken) if taken.level >= Level::Available => {
            (&taken.id, Outcome::Submitted)
        }
        SubmitResult::Taken(taken) => (&taken.id, Outcome::Unknown),
    };
    (*id == signed.id).then_some(outcome)
}

const fn level_of(answer: &SubmitResult) -> Option<Level> {
    match answer {
        SubmitResult::Refused { .. } => None,
        SubmitResult::Taken(taken) => Some(taken.level),
    }
}

fn body_of(batch: &[Signed]) -> String {
    let bytes: usize = batch.iter().map(|signed| signed.bytes.len() * 2 + 5).sum();
    let mut body = String::with_capacity(bytes + 24);
    body.push_str("{\"transactions\":[");
    for (index, signed) in batch.iter().enumerate() {
        body.push_str(if index == 0 { "\"0x" } else { ",\"0x" });
        body.push_str(&hex::encode(&signed.bytes));
        body.push('"');
    }
    body.push_str("]}");
    body
}

/// Why there is no answer, without the address in it.
fn reason(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "no connection"
    } else {
        "connection lost"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chorale_client::api::{Refusal, SubmitRequest, Taken};
    use chorale_types::ids::RollupId;
    use chorale_types::transaction::transaction_id;

    fn signed(bytes: &[u8]) -> Signed {
        Signed { bytes: bytes.to_vec(), id: transaction_id(RollupId::new(7), bytes) }
    }

    fn taken(level: Level) -> SubmitResult {
        let id = signed(b"ab").id;
        let (already_known, timed_out, place) = (false, level < Level::Available, None);
        SubmitResult::Taken(Taken { id, level, already_known, timed_out, place })
    }

    fn refused(code: &str) -> SubmitResult {
        let error = Refusal { code: code.to_owned(), detail: String::new() };
        SubmitResult::Refused { id: signed(b"ab").id, error }
    }

    #[test]
    fn the_body_is_the_array_of_the_interface() {
        let body = body_of(&[signed(b"ab"), signed(b"\x00")]);
        assert_eq!(body, r#"{"transactions":["0x6162","0x00"]}"#);
        let read: SubmitRequest = serde_json::from_str(&body).unwrap();
        assert_eq!(read.transactions[0].0, b"ab");
    }

    #[test]
    fn only_available_or_better_counts_as_submitted() {
        let outcome = |answer: &SubmitResult| outcome_of(&signed(b"ab"), answer, false);
        assert_eq!(outcome(&taken(Level::Available)), Some(Outcome::Submitted));
        assert_eq!(outcome(&taken(Level::Final)), Some(Outcome::Submitted));
        assert_eq!(outcome(&taken(Level::Accepted)), Some(Outcome::Unknown));
        let full = Some(Outcome::Refused("queue_full".to_owned()));
        assert_eq!(outcome(&refused("queue_full")), full);
    }

    #[test]
    fn an_answer_about_another_transaction_says_nothing() {
        assert_eq!(outcome_of(&signed(b"cd"), &taken(Level::Final), false), None);
    }

    #[test]
    fn a_refusal_after_a_lost_answer_is_no_refusal() {
        let outcome = outcome_of(&signed(b"ab"), &refused("queue_full"), true);
        assert_eq!(outcome, Some(Outcome::Unknown));
    }
}
