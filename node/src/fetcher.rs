//! Questions between members: this replica's to them, and theirs to this replica, with the
//! thread that reads answers from the store.
//!
//! # Invariants
//! - Every question of the replica has one answer; where the network has none, it is `None`.
//! - At most [`TOKENS_MAX`] questions of peers are open and [`READS_MAX`] wait for the store;
//!   beyond that a peer gets no answer, and asks another.

use crate::inbox::Inbox;
use crate::metrics::Metrics;
use crate::stop::Stopper;
use crate::storage::serve::Archive;
use bytes::Bytes;
use chorale_consensus::Input;
use chorale_consensus::input::{AskId, RequestToken};
use chorale_p2p::{FetchError, Network, RequestId, ResponseToken};
use chorale_types::codec::Encode;
use chorale_types::ids::ValidatorIndex;
use chorale_types::message::{Request, Response};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Questions of peers that wait for the replica.
pub const TOKENS_MAX: usize = 1_024;
/// Questions of peers that wait for the store.
pub const READS_MAX: usize = 256;

/// Something for the answering thread.
pub enum Answer {
    /// Send this.
    Send(ResponseToken, Response),
    /// Read the answer from the store and send it.
    Read(ResponseToken, Request),
}

/// Questions under way.
pub struct Fetcher {
    network: Network,
    inbox: Arc<Inbox>,
    metrics: Arc<Metrics>,
    asked: Mutex<BTreeMap<RequestId, AskId>>,
    tokens: Mutex<Tokens<ResponseToken>>,
    /// Until the node stops.
    answers: Mutex<Option<SyncSender<Answer>>>,
}

/// Questions of peers that the replica has not answered, with what answers them.
struct Tokens<T> {
    last: u64,
    open: BTreeMap<RequestToken, T>,
}

impl<T> Tokens<T> {
    const fn new() -> Self {
        Self { last: 0, open: BTreeMap::new() }
    }

    /// Names a question. When too many are open the oldest goes: whoever asked has given up by now.
    fn open(&mut self, token: T) -> RequestToken {
        self.last = self.last.wrapping_add(1);
        let name = RequestToken(self.last);
        self.open.insert(name, token);
        if self.open.len() > TOKENS_MAX {
            self.open.pop_first();
        }
        name
    }

    fn take(&mut self, name: RequestToken) -> Option<T> {
        self.open.remove(&name)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fetcher {
    /// Over a network; the other end is for [`run`].
    #[must_use]
    pub fn new(
        network: Network,
        inbox: Arc<Inbox>,
        metrics: Arc<Metrics>,
    ) -> (Arc<Self>, Receiver<Answer>) {
        let (answers, waiting) = sync_channel(READS_MAX);
        let (asked, tokens) = (Mutex::default(), Mutex::new(Tokens::new()));
        let answers = Mutex::new(Some(answers));
        (Arc::new(Self { network, inbox, metrics, asked, tokens, answers }), waiting)
    }

    /// Asks a member.
    pub fn ask(&self, to: ValidatorIndex, id: AskId, request: &Request) {
        // Held over the call, so that the answer cannot come before the question is noted.
        let mut asked = lock(&self.asked);
        match self.network.request(to, Bytes::from(request.to_bytes())) {
            Ok(name) => {
                asked.insert(name, id);
            }
            Err(error) => {
                drop(asked);
                tracing::debug!(%to, %error, "a question could not be asked");
                self.inbox.urgent(Input::Response { from: to, id, response: None });
            }
        }
    }

    /// The question that the network's answer belongs to.
    pub fn answered(&self, name: RequestId) -> Option<AskId> {
        lock(&self.asked).remove(&name)
    }

    /// A member asks: names the question for the replica.
    pub fn open(&self, token: ResponseToken) -> RequestToken {
        lock(&self.tokens).open(token)
    }

    /// The replica answers.
    pub fn respond(&self, to: ValidatorIndex, name: RequestToken, response: Response) {
        self.hand_on(to, name, |token| Answer::Send(token, response));
    }

    /// The replica lets the store answer.
    pub fn serve(&self, to: ValidatorIndex, name: RequestToken, request: Request) {
        self.hand_on(to, name, |token| Answer::Read(token, request));
    }

    /// A follower asks: the store answers.
    pub fn serve_follower(&self, token: ResponseToken, request: Request) {
        self.put(Answer::Read(token, request));
    }

    fn hand_on(
        &self,
        to: ValidatorIndex,
        name: RequestToken,
        answer: impl FnOnce(ResponseToken) -> Answer,
    ) {
        let token = lock(&self.tokens).take(name);
        match token {
            Some(token) => self.put(answer(token)),
            None => tracing::debug!(%to, "an answer came too late"),
        }
    }

    fn put(&self, answer: Answer) {
        let answers = lock(&self.answers);
        if answers.as_ref().is_none_or(|answers| answers.try_send(answer).is_err()) {
            self.metrics.work.unanswered.inc();
        }
    }

    /// Ends the answering thread when what it was given is done.
    pub fn close(&self) {
        lock(&self.answers).take();
    }
}

/// Answers until the queue ends or the store fails.
pub fn run(
    answers: &Receiver<Answer>,
    archive: &Archive,
    respond: impl Fn(ResponseToken, Bytes) -> Result<(), FetchError>,
    stopper: &Stopper,
) {
    while let Ok(answer) = answers.recv() {
        let (token, response) = match answer {
            Answer::Send(token, response) => (token, Ok(response)),
            Answer::Read(token, request) => (token, archive.answer(&request)),
        };
        match response {
            Ok(response) => {
                if let Err(error) = respond(token, Bytes::from(response.to_bytes())) {
                    tracing::debug!(%error, "an answer was not sent");
                }
            }
            Err(error) => {
                stopper.fail(format!("the store cannot be read: {error}"));
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_of_peers_are_bounded_and_the_oldest_gives_way() {
        let mut tokens = Tokens::new();
        let names: Vec<RequestToken> = (0..TOKENS_MAX + 1_000).map(|n| tokens.open(n)).collect();
        assert_eq!(tokens.open.len(), TOKENS_MAX);
        assert_eq!(tokens.take(names[999]), None, "whoever asked first has given up");
        assert_eq!(tokens.take(names[1_000]), Some(1_000));
        assert_eq!(tokens.take(names[1_000]), None, "one answer to one question");
        assert_eq!(tokens.take(RequestToken(u64::MAX)), None, "never asked");
    }
}
