//! A rollup's stream, followed through lost connections, stopped nodes and nodes that lie.
//!
//! Every block is verified before it is handed out, so an endpoint that fails or lies costs time
//! and nothing else: the stream goes on at the next one, from the last verified block.
//!
//! # Invariants
//! Blocks are handed out by rising sequence without a gap, each once. `light` stands at the last
//! verified block, which is handed out already or waits in `ready`.

use crate::api;
use crate::backoff::Backoff;
use crate::client::Client;
use crate::error::ClientError;
use crate::light::{Chain, LightClient, LightError, RollupBlock};
use crate::sse::{Event, Parser};
use chorale_types::ids::{Height, RollupId, Sequence};
use chorale_types::rollup::Frame;
use reqwest::Response;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// A stream without a block has a heartbeat every five seconds; one that is silent for four of
/// them is given up.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// How long a node may take to open a stream.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// What to follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Follow {
    /// The rollup.
    pub rollup: RollupId,
    /// The first block wanted, from 1; `None` for those above the newest state that the node can
    /// prove, which lies a few heights back.
    pub from: Option<Sequence>,
}

/// What a stream gives.
#[derive(Debug)]
pub enum StreamEvent {
    /// The next block, verified.
    Block(RollupBlock),
    /// Nothing new; proven that nothing was left out up to this height.
    Complete {
        /// The height.
        height: Height,
    },
    /// The node says that this reader is slow; it goes on from storage and skips nothing.
    Lagging {
        /// The block that comes next.
        from: Sequence,
    },
    /// An endpoint failed or lied. The stream goes on at the next one.
    Trouble(Trouble),
}

/// What went wrong with an endpoint.
#[derive(Debug)]
pub struct Trouble {
    /// The endpoint.
    pub endpoint: String,
    /// What went wrong.
    pub error: ClientError,
}

/// Follows one rollup.
#[derive(Debug)]
pub struct RollupStream {
    client: Client,
    chain: Arc<Chain>,
    follow: Follow,
    light: Option<LightClient>,
    handed_out: Option<Sequence>,
    endpoint: usize,
    connection: Option<Connection>,
    ready: VecDeque<StreamEvent>,
    backoff: Backoff,
    failures: usize,
    not_before: Option<Instant>,
    silence_max: Duration,
}

#[derive(Debug)]
struct Connection {
    response: Response,
    parser: Parser,
}

impl RollupStream {
    /// Prepares to follow a rollup of `chain` at the client's endpoints. Nothing is sent before
    /// [`Self::next`].
    #[must_use]
    pub fn new(client: Client, chain: Arc<Chain>, follow: Follow) -> Self {
        Self {
            endpoint: client.preferred(),
            client,
            chain,
            follow,
            light: None,
            handed_out: None,
            connection: None,
            ready: VecDeque::new(),
            backoff: Backoff::default(),
            failures: 0,
            not_before: None,
            silence_max: SILENCE_MAX,
        }
    }

    /// Begins at another of the client's endpoints, by index.
    #[must_use]
    pub const fn starting_at(mut self, endpoint: usize) -> Self {
        self.endpoint = endpoint;
        self
    }

    /// Gives an endpoint up when it says nothing for this long; at least a few of its heartbeats.
    #[must_use]
    pub const fn giving_up_after(mut self, silence: Duration) -> Self {
        self.silence_max = silence;
        self
    }

    /// The last block handed out: keep it, and a later stream goes on with
    /// `from: Some(cursor.next())`. `None` before the first.
    #[must_use]
    pub const fn cursor(&self) -> Option<Sequence> {
        self.handed_out
    }

    /// Goes on after `cursor`, wherever the stream stands. The state to verify from is fetched
    /// anew.
    pub fn resume_from(&mut self, cursor: Sequence) {
        self.follow.from = Some(cursor.saturating_add(1));
        self.handed_out = Some(cursor);
        self.light = None;
        self.connection = None;
        self.ready.clear();
    }

    /// The next event. It never ends: without any working endpoint it reports [`Trouble`], slower
    /// and slower. Dropping the future loses nothing.
    pub async fn next(&mut self) -> StreamEvent {
        loop {
            if let Some(event) = self.ready.pop_front() {
                if let StreamEvent::Block(block) = &event {
                    self.handed_out = Some(block.sequence);
                }
                return event;
            }
            if let Some(moment) = self.not_before {
                sleep_until(moment).await;
                self.not_before = None;
            }
            if let Err(error) = self.advance().await {
                self.fail(error);
            }
        }
    }

    /// To the next endpoint; after each round over all of them, with a pause.
    fn fail(&mut self, error: ClientError) {
        self.connection = None;
        let endpoint = self.client.name(self.endpoint);
        self.endpoint = self.endpoint.wrapping_add(1);
        self.failures = self.failures.saturating_add(1);
        if self.failures >= self.client.endpoints() {
            self.failures = 0;
            self.not_before = Some(Instant::now() + self.backoff.next());
        }
        self.ready.push_back(StreamEvent::Trouble(Trouble { endpoint, error }));
    }

    /// One step: a state to start from, a connection, or what came over it.
    async fn advance(&mut self) -> Result<(), ClientError> {
        let Some(light) = &self.light else {
            self.light = Some(self.start().await?);
            return Ok(());
        };
        let sequence = light.sequence();
        let Some(connection) = &mut self.connection else {
            self.connection = Some(self.open(sequence).await?);
            return Ok(());
        };
        let chunk = timeout(self.silence_max, connection.response.chunk()).await;
        let endpoint = self.client.name(self.endpoint);
        let chunk = match chunk {
            Ok(Ok(Some(chunk))) => chunk,
            Ok(Ok(None)) => return Err(ClientError::Silent { endpoint, what: "ended" }),
            Ok(Err(error)) => return Err(self.client.unreachable(self.endpoint, &error)),
            Err(_) => return Err(ClientError::Silent { endpoint, what: "was silent" }),
        };
        let events = connection.parser.push(&chunk);
        let events = events.map_err(|source| ClientError::NotEvents { endpoint, source })?;
        self.take(events)
    }

    /// Fetches and verifies a state below the first block wanted.
    async fn start(&self) -> Result<LightClient, ClientError> {
        let (at, rollup) = (self.endpoint, self.follow.rollup);
        let page = self.client.checkpoint_from(at, rollup, self.follow.from).await?;
        let light = LightClient::start(&self.chain, rollup, &page.checkpoint.0)
            .map_err(|source| self.untrue(source))?;
        match self.follow.from {
            Some(from) if light.sequence() >= from => Err(ClientError::BadAnswer {
                endpoint: self.client.name(at),
                why: format!("a state after block {}, asked for before {from}", light.sequence()),
            }),
            _ => Ok(light),
        }
    }

    async fn open(&self, sequence: Sequence) -> Result<Connection, ClientError> {
        let at = self.endpoint;
        let path = format!("v1/rollups/{}/stream", self.follow.rollup);
        let request = self
            .client
            .get_stream(at, &path)
            .header("accept", "text/event-stream")
            .header("last-event-id", sequence.to_string());
        let endpoint = || self.client.name(at);
        let response = timeout(OPEN_TIMEOUT, self.client.send(at, request))
            .await
            .map_err(|_| ClientError::Silent { endpoint: endpoint(), what: "did not open" })??;
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        if kind.is_some_and(|kind| kind.starts_with("text/event-stream")) {
            return Ok(Connection { response, parser: Parser::default() });
        }
        Err(ClientError::BadAnswer { endpoint: endpoint(), why: format!("a stream of {kind:?}") })
    }

    /// Verifies what came. Blocks that came together are verified together.
    fn take(&mut self, events: Vec<Event>) -> Result<(), ClientError> {
        let mut frames: Vec<Frame> = Vec::new();
        for event in events {
            if event.name == "block" {
                frames.push(self.parse::<api::Frame>(&event)?.into());
                continue;
            }
            self.take_frames(&std::mem::take(&mut frames))?;
            match event.name.as_str() {
                "heartbeat" => {
                    let heartbeat: api::Heartbeat = self.parse(&event)?;
                    if heartbeat.claims_nothing() {
                        continue;
                    }
                    let light = self.light.as_ref().expect("started before it is connected");
                    let height = light
                        .verify_heartbeat(&heartbeat.proof.0)
                        .map_err(|source| self.untrue(source))?;
                    self.succeed(StreamEvent::Complete { height });
                }
                "lagging" => {
                    let from = self.parse::<api::Lagging>(&event)?.from_sequence;
                    self.ready.push_back(StreamEvent::Lagging { from });
                }
                // An event of a later version.
                _ => {}
            }
        }
        self.take_frames(&frames)
    }

    fn take_frames(&mut self, frames: &[Frame]) -> Result<(), ClientError> {
        let light = self.light.as_mut().expect("started before it is connected");
        // A node that begins too low repeats what is verified already.
        let known = light.sequence();
        let repeated = frames.iter().take_while(|frame| frame.sequence <= known).count();
        let (blocks, error) = light.verify_frames(&frames[repeated..]);
        for block in blocks {
            if self.follow.from.is_none_or(|from| block.sequence >= from) {
                self.succeed(StreamEvent::Block(block));
            }
        }
        match error {
            None => Ok(()),
            Some(source) => Err(self.untrue(source)),
        }
    }

    fn succeed(&mut self, event: StreamEvent) {
        self.failures = 0;
        self.backoff.reset();
        self.ready.push_back(event);
    }

    fn parse<T: serde::de::DeserializeOwned>(&self, event: &Event) -> Result<T, ClientError> {
        serde_json::from_str(&event.data).map_err(|error| ClientError::BadAnswer {
            endpoint: self.client.name(self.endpoint),
            why: format!("event {}: {error}", event.name),
        })
    }

    fn untrue(&self, source: LightError) -> ClientError {
        ClientError::Untrue { endpoint: self.client.name(self.endpoint), source }
    }
}
