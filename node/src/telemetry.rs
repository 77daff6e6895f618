//! Logs: structured, to standard error, as text for people or one JSON object a line. The level
//! is the configured one, or what `RUST_LOG` says.

use crate::status::contradiction;
use chorale_consensus::note::Note;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::IsTerminal as _;
use std::str::FromStr;
use tracing_subscriber::EnvFilter;

/// How a log line looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Pretty,
    /// For machines.
    Json,
}

/// Not a format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log format is pretty or json")]
pub struct NotAFormat;

impl FromStr for LogFormat {
    type Err = NotAFormat;

    fn from_str(text: &str) -> Result<Self, NotAFormat> {
        match text {
            "pretty" => Ok(Self::Pretty),
            "json" => Ok(Self::Json),
            _ => Err(NotAFormat),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pretty => "pretty",
            Self::Json => "json",
        })
    }
}

/// Starts logging for the whole process. A second call changes nothing.
///
/// # Errors
/// When `level` is no filter.
pub fn start(format: LogFormat, level: &str) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = match EnvFilter::try_from_default_env() {
        Ok(filter) => filter,
        Err(_) => EnvFilter::try_new(level)?,
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // Fails only when a test or a caller started logging before.
    let _ = match format {
        LogFormat::Pretty => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}

/// Tells what happened in the replica.
pub fn trace(note: &Note) {
    match note {
        Note::TimedOut { view } => tracing::info!(%view, "gave up the view"),
        Note::TimeoutCertFormed { view, tips } => {
            tracing::info!(%view, tips, "a quorum gave up the view");
        }
        Note::CaughtUp { from, to } => tracing::info!(%from, %to, "caught up"),
        Note::WentDown { from, to } => {
            tracing::info!(%from, %to, "one certificate covers all of this: fetching it downwards");
        }
        Note::LaneEquivocation { lane, seq } => {
            tracing::warn!(%lane, %seq, "an owner signed two batches for one place");
        }
        Note::LaneLost(why) => tracing::error!("{why}"),
        Note::Refused { view, why } => tracing::info!(%view, %why, "did not vote"),
        Note::AgreementBroken { height } => {
            tracing::error!("{}", contradiction(*height));
        }
        Note::Committed { height, view } => tracing::debug!(%height, %view, "final"),
        Note::EnteredView { view, by_timeout } => tracing::debug!(%view, by_timeout, "entered"),
        other => tracing::debug!(note = ?other, "happened"),
    }
}
