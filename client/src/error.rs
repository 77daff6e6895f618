//! Why a call to a node failed.

use crate::api::Problem;
use crate::light::LightError;
use crate::sse::SseError;
use thiserror::Error;

/// Why a call to a node failed.
#[derive(Debug, Error)]
pub enum ClientError {
    /// No endpoint was given.
    #[error("no endpoint was given")]
    NoEndpoint,
    /// An endpoint is not the URL of a node.
    #[error("{text:?} is not an http URL: {why}")]
    BadEndpoint {
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// The node cannot be reached, or the connection broke.
    #[error("{endpoint}: {why}")]
    Unreachable {
        /// The node.
        endpoint: String,
        /// What happened.
        why: String,
    },
    /// The node refused.
    #[error("{endpoint}: {} ({})", problem.detail, problem.code)]
    Refused {
        /// The node.
        endpoint: String,
        /// Its answer.
        problem: Box<Problem>,
    },
    /// The answer is not what the interface promises.
    #[error("{endpoint}: unusable answer: {why}")]
    BadAnswer {
        /// The node.
        endpoint: String,
        /// What is wrong with it.
        why: String,
    },
    /// The answer is longer than any the interface allows.
    #[error("{endpoint}: answer of more than {max} bytes")]
    TooLong {
        /// The node.
        endpoint: String,
        /// The bound.
        max: usize,
    },
    /// A stream was silent for longer than its heartbeats allow, or ended.
    #[error("{endpoint}: the stream {what}")]
    Silent {
        /// The node.
        endpoint: String,
        /// What it did.
        what: &'static str,
    },
    /// A stream is not one of events.
    #[error("{endpoint}: {source}")]
    NotEvents {
        /// The node.
        endpoint: String,
        /// What is wrong with it.
        source: SseError,
    },
    /// The node said something that is not true.
    #[error("{endpoint}: {source}")]
    Untrue {
        /// The node.
        endpoint: String,
        /// What is wrong with it.
        source: LightError,
    },
    /// It was not done by the deadline.
    #[error("not {what} by the deadline")]
    Deadline {
        /// What was waited for.
        what: &'static str,
    },
}

impl ClientError {
    /// Whether another node, or the same one later, may well answer: overload, a node that is not
    /// ready, a connection that failed. A refusal of the request itself is final.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Refused { problem, .. } => {
                matches!(problem.status, 408 | 429 | 500 | 502 | 503 | 504)
            }
            Self::NoEndpoint | Self::BadEndpoint { .. } | Self::Deadline { .. } => false,
            Self::Unreachable { .. }
            | Self::BadAnswer { .. }
            | Self::TooLong { .. }
            | Self::Silent { .. }
            | Self::NotEvents { .. }
            | Self::Untrue { .. } => true,
        }
    }

    /// The stable code of a refusal.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { problem, .. } => Some(&problem.code),
            _ => None,
        }
    }
}
