//! One or more nodes, asked in turn until one answers.

mod transport;

use crate::api;
use crate::error::ClientError;
use crate::submit::PATIENCE_MAX;
use chorale_types::genesis::Genesis;
use chorale_types::ids::{Height, RollupId, Sequence};
use chorale_types::level::Level;
use chorale_types::transaction::TransactionId;
use reqwest::Url;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;
use tokio::time::Instant;

/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
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
        let endpoints: Arc<[Url]> = endpoints
            .into_iter()
            .map(|text| transport::parse(text.as_ref()))
            .collect::<Result<_, _>>()?;
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
        let deadline = Instant::now() + patience.min(PATIENCE_MAX);
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
}
