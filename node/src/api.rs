//! The rollup interface: submit, follow, look up, over HTTP/1.1. What it promises to whom is
//! written at each call; what it costs at most is in [`ApiConfig`] and published at `/v1/limits`.
//!
//! Every refusal is an RFC 9457 document with a stable [`Code`]. Nothing here holds state of the
//! chain: it hands in, reads and renders.
//!
//! # Invariants
//! What callers can make the node hold is bounded: connections, streams, submit calls, bytes of
//! their bodies, reads of storage, each by a semaphore in `App` or `server`; connections and
//! streams also by address.

mod admin;
mod body;
mod callers;
mod chain;
mod config;
mod error;
mod frame;
mod heartbeat;
mod node;
mod parameters;
mod rollup;
mod server;
mod stall;
mod stream;
mod submit;
mod transactions;
mod turned_away;

pub use config::{
    ApiConfig, BLOCKS_BYTES_MAX, BLOCKS_LIMIT_DEFAULT, BLOCKS_LIMIT_MAX, SUBMIT_BODY_BYTES_MAX,
    WAIT_TIMEOUT_MS_DEFAULT, WAIT_TIMEOUT_MS_MAX,
};
pub use error::Code;

use crate::handles::Handles;
use crate::ledger::{Ledger, LedgerError};
use crate::submissions::Submissions;
use axum::Router;
use axum::http::{Method, Uri};
use axum::routing::{get, post};
use callers::{Caller, Share, Shares};
use error::Problem;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Serves the rollup interface on `http` and the operator's on `admin` until
/// [`Handles::stop`] is cancelled and answers under way are done or [`ApiConfig::drain`] is over.
/// The caller binds both, `admin` to a loopback address.
pub async fn serve(handles: Handles, config: ApiConfig, http: TcpListener, admin: TcpListener) {
    let stop = handles.stop.clone();
    let app = App::new(handles, config);
    let rollups = server::serve(http, routes(app.clone()), config, stop.clone());
    let operator = server::serve(admin, admin::router(app), config, stop);
    tokio::join!(rollups, operator);
}

fn routes(app: App) -> Router {
    with_fallbacks(
        Router::new()
            .route("/v1/rollups/{rollup}/transactions", post(submit::submit))
            .route("/v1/rollups/{rollup}/transactions/{id}", get(rollup::transaction))
            .route("/v1/rollups/{rollup}/blocks", get(rollup::blocks))
            .route("/v1/rollups/{rollup}/blocks/{sequence}", get(rollup::block))
            .route("/v1/rollups/{rollup}/checkpoint", get(rollup::checkpoint))
            .route("/v1/rollups/{rollup}/stream", get(stream::stream))
            .route("/v1/status", get(node::status))
            .route("/v1/limits", get(node::limits))
            .route("/v1/validators", get(chain::validators))
            .route("/v1/genesis", get(chain::genesis))
            .route("/v1/blocks/{height}", get(chain::block))
            .route("/livez", get(node::livez))
            .route("/readyz", get(node::readyz))
            .route("/metrics", get(node::metrics)),
    )
    .with_state(app)
}

/// Answers every other path and method with a problem too.
fn with_fallbacks(router: Router<App>) -> Router<App> {
    router
        .fallback(|_: Uri| async { Problem::new(Code::NotFound, "there is nothing at this path") })
        .method_not_allowed_fallback(|method: Method| async move {
            Problem::new(Code::MethodNotAllowed, format!("{method} is not served at this path"))
        })
}

/// What every call shares. Cheap to clone.
#[derive(Clone)]
struct App(Arc<Inner>);

struct Inner {
    handles: Handles,
    config: ApiConfig,
    submits: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    streams_by_address: Arc<Shares>,
    reads: Arc<Semaphore>,
    prepares: Arc<Semaphore>,
    body_bytes: Arc<Semaphore>,
    beats: heartbeat::Beats,
}

impl App {
    fn new(handles: Handles, config: ApiConfig) -> Self {
        let of = |permits| Arc::new(Semaphore::new(permits));
        Self(Arc::new(Inner {
            handles,
            config,
            submits: of(config.submits_max),
            streams: of(config.streams_max),
            streams_by_address: Shares::new(config.streams_per_address, config.counts_loopback),
            reads: of(config.reads_max),
            prepares: of(config.prepares_max),
            body_bytes: of(config.body_bytes_max),
            beats: heartbeat::Beats::default(),
        }))
    }

    fn handles(&self) -> &Handles {
        &self.0.handles
    }

    fn config(&self) -> &ApiConfig {
        &self.0.config
    }

    fn beats(&self) -> &heartbeat::Beats {
        &self.0.beats
    }

    fn body_budget(&self) -> Arc<Semaphore> {
        Arc::clone(&self.0.body_bytes)
    }

    /// Room for one more submit call.
    fn submit_turn(&self) -> Result<OwnedSemaphorePermit, Problem> {
        turn(&self.0.submits, "submit calls", self.0.config.submits_max)
    }

    /// Room for one more stream of this caller.
    fn stream_turn(&self, caller: Caller) -> Result<StreamTurn, Problem> {
        let shares = &self.0.streams_by_address;
        let share = shares.take(caller).ok_or_else(|| {
            let detail = format!("this node serves {} streams to one address", shares.max());
            Problem::new(Code::AddressLimit, detail)
        })?;
        let turn = turn(&self.0.streams, "streams", self.0.config.streams_max)?;
        Ok(StreamTurn { _turn: turn, _share: share })
    }

    /// Runs a read of storage where it may block, in its turn.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, Problem> {
        let ledger = self.0.handles.ledger.clone();
        blocking(&self.0.reads, move || read(&ledger).map_err(Problem::from)).await
    }

    /// Reads, hashes and looks up what a caller hands in, where it may block, in its turn.
    async fn prepare<T: Send + 'static>(
        &self,
        prepare: impl FnOnce(&Submissions) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let submissions = self.0.handles.submissions.clone();
        blocking(&self.0.prepares, move || prepare(&submissions)).await
    }
}

/// A stream's place among all and among those of its address, until it is dropped.
struct StreamTurn {
    _turn: OwnedSemaphorePermit,
    _share: Share,
}

fn turn(of: &Arc<Semaphore>, what: &str, max: usize) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(of).try_acquire_owned().map_err(|_| {
        Problem::new(Code::Overloaded, format!("this node serves {max} {what} at once"))
    })
}

/// Runs `work` where it may block, when it is its turn.
async fn blocking<T: Send + 'static>(
    turns: &Arc<Semaphore>,
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let turn = Arc::clone(turns).acquire_owned().await;
    let worked = tokio::task::spawn_blocking(move || {
        // Held by the work itself: it goes on when its caller is gone.
        let _turn = turn;
        work()
    });
    match worked.await {
        Ok(done) => done,
        Err(_) => Err(Problem::new(Code::Internal, "the node failed at this call")),
    }
}

#[cfg(test)]
mod tests;
