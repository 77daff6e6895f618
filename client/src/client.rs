//! One or more nodes, asked in turn until one answers.

use crate::api;
use crate::error::ClientError;
use chorale_types::genesis::Genesis;
use chorale_types::ids::{Height, RollupId, Sequence};
use chorale_types::level::Level;
use chorale_types::limits::WINDOW_IDS_MAX;
use chorale_types::transaction::TransactionId;
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Longest answer that is read, in bytes: a checkpoint of the largest window in base64.
const ANSWER_BYTES_MAX: usize = WINDOW_IDS_MAX * 48;
/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a query may take; a submit call waits longer by what it asked for.
const QUERY_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest pause between two looks at a transaction's level.
const POLL_MAX: Duration = Duration::from_millis(500);

/// Speaks to one or more nodes. Cheap to clone; clones share connections.
///
/// What the queries answer is the word of the node that answered. What is proven comes from
/// [`crate::RollupStream`] and [`crate::LightClient`] alone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    endpoints: Arc<[Url]>,
    /// The endpoint that answered last; the next call starts there.
    preferred: Arc<AtomicUsize>,
}

impl Client {
    /// Speaks to the nodes at these URLs, such as `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// When there is none, or one is not an http URL. Encryption is not built in, so that no C is
    /// compiled: put a TLS proxy in front where the way to the node is not trusted; proofs make
    /// up for integrity, not for privacy.
    pub fn new<S: AsRef<str>>(endpoints: impl IntoIterator<Item = S>) -> Result<Self, ClientError> {
        let endpoints: Arc<[Url]> =
            endpoints.into_iter().map(|text| parse(text.as_ref())).collect::<Result<_, _>>()?;
        if endpoints.is_empty() {
            return Err(ClientError::NoEndpoint);
        }
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("chorale-client/", env!("CARGO_PKG_VERSION")))
            .build()
            .expect("no option that can fail is set");
        Ok(Self { http, endpoints, preferred: Arc::default() })
    }

    /// How many nodes there are.
    #[must_use]
    pub fn endpoints(&self) -> usize {
        self.endpoints.len()
    }

    /// How a node is.
    ///
    /// # Errors
    /// When no node answers.
    pub async fn status(&self) -> Result<api::Status, ClientError> {
        self.get("v1/status", &[]).await
    }

    /// A node's bounds.
    ///
    /// # Errors
    /// When no node answers.
    pub async fn limits(&self) -> Result<api::Limits, ClientError> {
        self.get("v1/limits", &[]).await
    }

    /// The validators in force.
    ///
    /// # Errors
    /// When no node answers.
    pub async fn validators(&self) -> Result<api::Validators, ClientError> {
        self.get("v1/validators", &[]).await
    }

    /// The document the chain starts from. Trust it only if you would trust the node, or if its
    /// chain id is the one you know: everything proven later is proven against it.
    ///
    /// # Errors
    /// When no node answers.
    pub async fn genesis(&self) -> Result<Genesis, ClientError> {
        self.get("v1/genesis", &[]).await
    }

    /// A final block of the chain.
    ///
    /// # Errors
    /// When no node answers, or there is none.
    pub async fn chain_block(&self, height: Height) -> Result<api::Block, ClientError> {
        self.get(&format!("v1/blocks/{height}"), &[]).await
    }

    /// Blocks of a rollup from `from` on, at most `limit`; not yet verified.
    ///
    /// # Errors
    /// When no node answers, or it refuses the range.
    pub async fn blocks(
        &self,
        rollup: RollupId,
        from: Sequence,
        limit: u64,
    ) -> Result<api::BlocksPage, ClientError> {
        let query = [("from", from.get()), ("limit", limit)];
        self.get(&format!("v1/rollups/{rollup}/blocks"), &query).await
    }

    /// A state from which `sequence` can be verified, or the newest one; not yet verified.
    ///
    /// # Errors
    /// When no node answers, or it does not have one any more.
    pub async fn checkpoint(
        &self,
        rollup: RollupId,
        sequence: Option<Sequence>,
    ) -> Result<api::CheckpointPage, ClientError> {
        let at = self.preferred();
        self.try_each(at, |at| self.checkpoint_from(at, rollup, sequence)).await
    }

    pub(crate) async fn checkpoint_from(
        &self,
        at: usize,
        rollup: RollupId,
        sequence: Option<Sequence>,
    ) -> Result<api::CheckpointPage, ClientError> {
        let query: Vec<_> = sequence.iter().map(|s| ("sequence", s.get())).collect();
        self.get_from(at, &format!("v1/rollups/{rollup}/checkpoint"), &query).await
    }

    /// How far a transaction is.
    ///
    /// # Errors
    /// When no node answers, or the one that answers does not know it (`unknown_transaction`).
    pub async fn transaction(
        &self,
        rollup: RollupId,
        id: &TransactionId,
    ) -> Result<api::Transaction, ClientError> {
        self.get(&format!("v1/rollups/{rollup}/transactions/{id}"), &[]).await
    }

    /// Waits until a node says that a transaction is final.
    ///
    /// # Errors
    /// When none says so within `patience`, or one refuses the question itself.
    pub async fn wait_final(
        &self,
        rollup: RollupId,
        id: &TransactionId,
        patience: Duration,
    ) -> Result<api::Place, ClientError> {
        let deadline = Instant::now() + patience;
        let mut pause = Duration::from_millis(20);
        loop {
            match self.transaction(rollup, id).await {
                Ok(api::Transaction { level: Level::Final, place: Some(place), .. }) => {
                    return Ok(place);
                }
                Err(error)
                    if !error.is_passing() && error.code() != Some("unknown_transaction") =>
                {
                    return Err(error);
                }
                Ok(_) | Err(_) => {}
            }
            if Instant::now() + pause >= deadline {
                return Err(ClientError::Deadline { what: "final" });
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(POLL_MAX);
        }
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, u64)],
    ) -> Result<T, ClientError> {
        let at = self.preferred();
        self.try_each(at, |at| self.get_from(at, path, query)).await
    }

    /// Asks each endpoint once, from `first` on, until one answers or refuses for good.
    async fn try_each<T, F>(&self, first: usize, ask: impl Fn(usize) -> F) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let mut last = ClientError::NoEndpoint;
        for step in 0..self.endpoints.len() {
            let at = first.wrapping_add(step) % self.endpoints.len();
            match ask(at).await {
                Ok(answer) => {
                    self.prefer(at);
                    return Ok(answer);
                }
                Err(error) if !error.is_passing() => return Err(error),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn get_from<T: DeserializeOwned>(
        &self,
        at: usize,
        path: &str,
        query: &[(&str, u64)],
    ) -> Result<T, ClientError> {
        let request = self.http.get(self.url(at, path)).query(query).timeout(QUERY_TIMEOUT);
        let response = self.send(at, request).await?;
        self.json(at, response).await
    }

    pub(crate) fn preferred(&self) -> usize {
        self.preferred.load(Ordering::Relaxed)
    }

    /// The next call starts at the endpoint that answered this one.
    pub(crate) fn prefer(&self, at: usize) {
        self.preferred.store(at % self.endpoints.len(), Ordering::Relaxed);
    }

    pub(crate) fn post(&self, at: usize, path: &str) -> RequestBuilder {
        self.http.post(self.url(at, path))
    }

    pub(crate) fn get_stream(&self, at: usize, path: &str) -> RequestBuilder {
        self.http.get(self.url(at, path))
    }

    pub(crate) fn name(&self, at: usize) -> String {
        self.endpoints[at % self.endpoints.len()].as_str().trim_end_matches('/').into()
    }

    fn url(&self, at: usize, path: &str) -> Url {
        let base = &self.endpoints[at % self.endpoints.len()];
        base.join(path).expect("paths here are plain")
    }

    /// Sends, and turns a refusal into an error.
    pub(crate) async fn send(
        &self,
        at: usize,
        request: RequestBuilder,
    ) -> Result<Response, ClientError> {
        let response = request.send().await.map_err(|error| self.unreachable(at, &error))?;
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(response);
        }
        let endpoint = self.name(at);
        let problem = match self.json::<api::Problem>(at, response).await {
            Ok(problem) => problem,
            // A proxy on the way, or something that is no node: only the status is known.
            Err(_) => api::Problem {
                kind: "about:blank".into(),
                title: status.canonical_reason().unwrap_or("Error").into(),
                status: status.as_u16(),
                detail: format!("answered {status} without a problem document"),
                code: "no_problem_document".into(),
            },
        };
        Err(ClientError::Refused { endpoint, problem: Box::new(problem) })
    }

    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        at: usize,
        mut response: Response,
    ) -> Result<T, ClientError> {
        let mut body = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| self.unreachable(at, &error))?
        {
            if body.len().saturating_add(chunk.len()) > ANSWER_BYTES_MAX {
                let max = ANSWER_BYTES_MAX;
                return Err(ClientError::TooLong { endpoint: self.name(at), max });
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|error| ClientError::BadAnswer {
            endpoint: self.name(at),
            why: error.to_string(),
        })
    }

    pub(crate) fn unreachable(&self, at: usize, error: &reqwest::Error) -> ClientError {
        ClientError::Unreachable { endpoint: self.name(at), why: causes(error) }
    }
}

/// An error with everything below it: reqwest's own text leaves out what really happened.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn parse(text: &str) -> Result<Url, ClientError> {
    let bad = |why: String| ClientError::BadEndpoint { text: text.into(), why };
    let slashed = format!("{}/", text.trim_end_matches('/'));
    let url = Url::parse(&slashed).map_err(|error| bad(error.to_string()))?;
    match url.scheme() {
        "http" => Ok(url),
        other => Err(bad(format!("the scheme is {other:?}"))),
    }
}
