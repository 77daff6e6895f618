//! `chorale start`: runs a node until it is told to stop.

use super::setup;
use crate::api::ApiConfig;
use crate::config::Config;
use crate::home::Home;
use crate::node::{Node, Options, StartError};
use crate::telemetry::{self, LogFormat};
use anyhow::{Context as _, Result};
use clap::Args;
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};

/// Exit code when a second signal does not let the node finish.
const FORCED: i32 = 1;

/// Runs a node until SIGTERM, SIGINT or its admin interface stops it. A second signal stops it
/// at once.
#[derive(Args, Debug)]
pub struct StartArgs {
    /// The home folder, by default CHORALE_HOME.
    #[arg(long, value_name = "DIR")]
    home: Option<PathBuf>,
    /// How a log line looks, instead of what the configuration says: pretty or json.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// What is logged, instead of what the configuration says.
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Record what this node signs, commits, orders and answers.
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
}

impl StartArgs {
    /// Runs the node.
    ///
    /// # Errors
    /// When its files cannot be used, or something fails while it runs.
    pub async fn run(self) -> Result<()> {
        no_core_dumps();
        let home = Home::named(self.home).map_err(setup)?;
        let config = Config::read(&home.config()).map_err(setup)?;
        let format = self.log_format.unwrap_or(config.log.format);
        let level = self.log_level.as_deref().unwrap_or(&config.log.level);
        telemetry::start(format, level).map_err(setup)?;
        let api = ApiConfig::default().with(&config.http);
        let options = Options { home, config, record: self.record, api };
        // Before the start, so that a signal during a long start counts.
        let mut signals = Signals::new()?;
        let node = tokio::select! {
            node = Node::start(options) => node.map_err(mark)?,
            () = signals.next() => return Ok(()),
        };
        tokio::select! {
            () = node.stopping() => {}
            () = signals.next() => tracing::info!("stopping"),
        }
        tokio::select! {
            stopped = node.stop() => stopped,
            () = signals.next() => {
                tracing::warn!("stopped at once");
                std::process::exit(FORCED)
            }
        }
    }
}

/// What the operator has to put right is told apart from what failed.
fn mark(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<StartError>() {
        Some(StartError::Store(_) | StartError::Feed(_) | StartError::Randomness(_)) | None => {
            error
        }
        Some(_) => setup(error),
    }
}

/// The signals that ask for an end.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// A core dump would hold the secret keys.
fn no_core_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if setrlimit(Resource::Core, none).is_err() {
        eprintln!("chorale: warning: core dumps could not be turned off");
    }
}
