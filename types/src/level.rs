//! How sure a transaction's place is. The same four words in the core, the interface, the client
//! and the metrics.

use core::fmt;
use serde::{Deserialize, Serialize};

/// A confirmation level; each includes the ones before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// This node queued it. No promise.
    Accepted,
    /// A quorum of stake stores it durably: it will be ordered.
    Available,
    /// It is in a block with a quorum certificate.
    Certified,
    /// It is in a block with a commit certificate: its place never changes.
    Final,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted => "accepted",
            Self::Available => "available",
            Self::Certified => "certified",
            Self::Final => "final",
        })
    }
}
