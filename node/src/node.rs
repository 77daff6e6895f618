//! A whole node, wired top to bottom.
//!
//! ```text
//!  users ── api ── submissions ─┐                       ┌─ persist (votes) ── vote record
//!  peers ── intake ── workers ──┼─► inbox ─► runtime ───┼─ persist (lanes) ── store
//!             ▲                 │   (replica.step)      ├─ signer ── network ── peers
//!             └── checks ───────┼───────────────────────┼─ workers (checks)
//!                               │                       ├─ fetcher ── store ── peers
//!                               └────── ordered ────────┴─ feeder ── store ── ledger ── users
//! ```
//!
//! Every box but `runtime` may wait: for a disk, a signature, a peer. Their answers are inputs.

mod opening;
mod parts;

pub use opening::{Opened, StartError, read_genesis};

use crate::api::{self, ApiConfig};
use crate::config::Config;
use crate::handles::Handles;
use crate::home::Home;
use crate::recorder::Recorder;
use crate::stop::Stopper;
use crate::storage::Stores;
use crate::threads::spawn_task;
use anyhow::{Context as _, Result, bail};
use chorale_p2p::Network;
use parts::Parts;
use serde::Serialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The program's version, with the commit it was built from.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("CHORALE_COMMIT"), ")");

/// What a node is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where its files are.
    pub home: Home,
    /// What its operator decided.
    pub config: Config,
    /// Where its history is recorded, if it is.
    pub record: Option<PathBuf>,
    /// Bounds of the rollup interface.
    pub api: ApiConfig,
}

/// A running node.
pub struct Node {
    handles: Handles,
    addresses: Addresses,
    stopper: Stopper,
    running: Running,
}

/// Where a running node listens, as `data/run.json` says it.
#[derive(Clone, Debug, Serialize)]
pub struct Addresses {
    /// The process.
    pub pid: u32,
    /// The interface for rollups.
    pub http: SocketAddr,
    /// The interface for its operator.
    pub admin: SocketAddr,
    /// The wire.
    pub p2p: Vec<String>,
}

/// What is to be ended in order.
struct Running {
    parts: Parts,
    api: JoinHandle<()>,
    intake: JoinHandle<()>,
    network: Network,
    stores: Stores,
    recorder: Option<(Recorder, std::thread::JoinHandle<std::io::Result<()>>)>,
    run_file: PathBuf,
}

impl Node {
    /// Starts a node. When this returns it takes part, and its addresses are in `data/run.json`.
    ///
    /// # Errors
    /// When its files, its chain or its addresses cannot be used; nothing runs then.
    pub async fn start(options: Options) -> Result<Self> {
        let Options { home, config, record, api } = options;
        let stopper = Stopper::default();
        let opened = {
            let (home, config) = (home.clone(), config.clone());
            tokio::task::spawn_blocking(move || Opened::open(&home, &config)).await??
        };
        // After the home is locked: a second start of the same node hears that, not of its ports.
        let http = listen(config.http.listen).await?;
        let admin = listen(config.admin.listen).await?;
        let recorder = opened.recorder(record.as_deref())?;
        let (network, events) = chorale_p2p::start(opened.wire(&config)?).await?;
        let addresses = Addresses {
            pid: std::process::id(),
            http: http.local_addr()?,
            admin: admin.local_addr()?,
            p2p: network.listen_addresses().iter().map(ToString::to_string).collect(),
        };
        let run_file = home.run();
        // All sockets are bound: whoever reads this may connect, and is answered when all runs.
        write_run_file(&run_file, &addresses)?;

        let stores = opened.stores.clone();
        let recording = recorder.as_ref().map(|(recorder, _)| recorder.clone());
        let built = Parts::build(opened, network.clone(), recording, &stopper)
            .inspect_err(|_| drop(remove_run_file(&run_file)))?;
        let (parts, handles) = (built.parts, built.handles);
        let intake = spawn_task("intake", &stopper, built.intake.run(events));
        let api = spawn_task("api", &stopper, api::serve(handles.clone(), api, http, admin));
        tracing::info!(http = %addresses.http, p2p = ?addresses.p2p, "the node runs");
        let running = Running { parts, api, intake, network, stores, recorder, run_file };
        Ok(Self { handles, addresses, stopper, running })
    }

    /// What the rollup interface is given.
    #[must_use]
    pub const fn handles(&self) -> &Handles {
        &self.handles
    }

    /// Where it listens.
    #[must_use]
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Returns when the node is asked to stop, or something failed.
    pub async fn stopping(&self) {
        self.stopper.token().cancelled().await;
    }

    /// Stops in an orderly way: takes nothing more in, finishes what is being written, closes
    /// streams and files.
    ///
    /// # Errors
    /// With what made the node stop, if it was not asked to.
    pub async fn stop(self) -> Result<()> {
        let Self { handles, stopper, running, .. } = self;
        stopper.token().cancel();
        handles.submissions.close();
        let Running { parts, api, intake, network, stores, recorder, run_file } = running;
        // Whoever waits for an answer is told; the interface drains within its bound. A task that
        // panicked was told already.
        let _ = api.await;
        tracing::debug!("the rollup interface is closed");
        network.shutdown().await;
        // Nothing is taken in any more, so nobody waits for room in front of a thread that is gone.
        parts.close();
        let _ = intake.await;
        tracing::debug!("the network is closed");
        tokio::task::spawn_blocking(move || parts.end()).await?;
        tracing::debug!("every thread has ended");
        drop(handles);
        let removed = remove_run_file(&run_file);
        let recorded = match recorder {
            Some((recorder, thread)) => {
                recorder.stop();
                drop(recorder);
                tokio::task::spawn_blocking(move || thread.join()).await?.unwrap_or(Ok(()))
            }
            None => Ok(()),
        };
        match stopper.failure() {
            Some(reason) => bail!(reason),
            None => stores.synced.store().flush().context("flushing the store")?,
        }
        recorded.context("the history")?;
        removed
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// Writes the file in one step, so that a reader sees all of it or none.
fn write_run_file(path: &Path, addresses: &Addresses) -> Result<()> {
    let fresh = path.with_extension("json.new");
    let text = serde_json::to_vec_pretty(addresses)?;
    std::fs::write(&fresh, text).with_context(|| format!("cannot write {}", fresh.display()))?;
    std::fs::rename(&fresh, path).with_context(|| format!("cannot write {}", path.display()))
}

fn remove_run_file(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
