//! What the interface answers when it does not do what was asked: an RFC 9457 problem document
//! with a code that never changes its meaning.

use crate::ledger::LedgerError;
use crate::submissions::SubmitError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chorale_client::api;
use chorale_consensus::output::Refusal;

/// Why a request, or one transaction of it, is refused. Programs branch on [`Code::text`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Nobody registered the rollup.
    UnknownRollup,
    /// This node knows no such transaction.
    UnknownTransaction,
    /// There is no such rollup block, or it is not kept any more.
    UnknownSequence,
    /// The rollup block does not exist yet.
    FutureSequence,
    /// A stream is asked to start above the block after the head.
    CursorInFuture,
    /// A path segment, query value or header value is not what it must be.
    BadParameter,
    /// A query parameter that this call does not have, or one named twice.
    UnknownParameter,
    /// The body is not the JSON document that this call takes.
    BadJson,
    /// The body ended early or is not framed as announced.
    BadBody,
    /// The body's type is not taken, or it is compressed.
    BadContentType,
    /// A transaction without bytes.
    EmptyTransaction,
    /// A transaction over the bound.
    TransactionTooLarge,
    /// A body over the bound.
    BodyTooLarge,
    /// More transactions in one call than the bound.
    TooManyTransactions,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The rollup's queue is full.
    QueueFull,
    /// This node takes no transactions.
    NoLane,
    /// The node is catching up or stopping.
    NotReady,
    /// As many requests or streams of this kind as this node serves at once.
    Overloaded,
    /// As many connections or streams as this node serves to one address.
    AddressLimit,
    /// Part of the interface that this version does not have.
    NotYet,
    /// No such path.
    NotFound,
    /// The path has no such method.
    MethodNotAllowed,
    /// The admin port was asked by a web page or under a name that is not this machine.
    Forbidden,
    /// The node failed; its log says how.
    Internal,
}

impl Code {
    /// The stable text.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::UnknownRollup => "unknown_rollup",
            Self::UnknownTransaction => "unknown_transaction",
            Self::UnknownSequence => "unknown_sequence",
            Self::FutureSequence => "future_sequence",
            Self::CursorInFuture => "cursor_in_future",
            Self::BadParameter => "bad_parameter",
            Self::UnknownParameter => "unknown_parameter",
            Self::BadJson => "bad_json",
            Self::BadBody => "bad_body",
            Self::BadContentType => "bad_content_type",
            Self::EmptyTransaction => "empty_transaction",
            Self::TransactionTooLarge => "transaction_too_large",
            Self::BodyTooLarge => "body_too_large",
            Self::TooManyTransactions => "too_many_transactions",
            Self::BodyTimeout => "body_timeout",
            Self::QueueFull => "queue_full",
            Self::NoLane => "no_lane",
            Self::NotReady => "not_ready",
            Self::Overloaded => "overloaded",
            Self::AddressLimit => "address_limit",
            Self::NotYet => "not_yet",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Forbidden => "forbidden",
            Self::Internal => "internal",
        }
    }

    /// The HTTP status that goes with it.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::UnknownRollup
            | Self::UnknownTransaction
            | Self::UnknownSequence
            | Self::FutureSequence
            | Self::NotFound => StatusCode::NOT_FOUND,
            Self::CursorInFuture
            | Self::BadParameter
            | Self::UnknownParameter
            | Self::BadJson
            | Self::BadBody
            | Self::EmptyTransaction
            | Self::TooManyTransactions => StatusCode::BAD_REQUEST,
            Self::BadContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TransactionTooLarge | Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::QueueFull | Self::AddressLimit => StatusCode::TOO_MANY_REQUESTS,
            Self::NoLane | Self::NotReady | Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotYet => StatusCode::NOT_IMPLEMENTED,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// After how many seconds asking again may help, if it may.
    #[must_use]
    pub const fn retry_after_s(self) -> Option<u16> {
        match self {
            Self::QueueFull | Self::Overloaded | Self::AddressLimit => Some(1),
            Self::NotReady => Some(2),
            Self::NoLane => Some(10),
            _ => None,
        }
    }
}

/// A refusal with its particulars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// What kind.
    pub(super) code: Code,
    /// For people: which value, which bound.
    pub(super) detail: String,
}

impl Problem {
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// The document.
    pub(super) fn document(self) -> Vec<u8> {
        let status = self.code.status();
        let document = api::Problem {
            kind: "about:blank".into(),
            title: status.canonical_reason().unwrap_or("Error").into(),
            status: status.as_u16(),
            detail: self.detail,
            code: self.code.text().into(),
        };
        serde_json::to_vec(&document).expect("strings and a number are JSON")
    }
}

/// The type of a problem document.
pub(super) const PROBLEM_TYPE: &str = "application/problem+json";

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let code = self.code;
        let mut response = (code.status(), self.document()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_TYPE));
        if let Some(seconds) = code.retry_after_s() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        let code = match &error {
            LedgerError::UnknownRollup { .. } => Code::UnknownRollup,
            LedgerError::UnknownSequence { .. } => Code::UnknownSequence,
            LedgerError::FutureSequence { .. } => Code::FutureSequence,
            LedgerError::NotProvable { .. } => Code::NotReady,
            LedgerError::Storage { reason } => {
                tracing::error!(%reason, "the ledger cannot be read");
                return Self::new(Code::Internal, "the node cannot read its storage");
            }
        };
        Self::new(code, error.to_string())
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        let code = match error {
            SubmitError::Busy => Code::QueueFull,
            SubmitError::Stopping => Code::NotReady,
        };
        Self::new(code, error.to_string())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::UnknownRollup { .. } => Code::UnknownRollup,
            Refusal::Empty => Code::EmptyTransaction,
            Refusal::TooLarge { .. } => Code::TransactionTooLarge,
            Refusal::QueueFull { .. } => Code::QueueFull,
            Refusal::NoLane => Code::NoLane,
        };
        Self::new(code, refusal.to_string())
    }
}
