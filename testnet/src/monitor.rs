//! Watches the nodes of a running testnet, once a second: where they stand, how many views they
//! gave up, what they use. A node that is down or restarts is part of the picture, not an error.
//!
//! # Invariants
//! Counters and processor time that start again with a new process are added up, never lost or
//! counted below zero.

use crate::home::Home;
use crate::http::Http;
use crate::process::{self, Usage};
use chorale_client::api::Status;
use serde::Serialize;
use std::path::PathBuf;

/// The node's counter of views it gave up.
const TIMEOUTS: &str = "chorale_timeouts_total";

/// A value that may start again from zero; its growth since the first reading is what counts.
#[derive(Clone, Copy, Debug, Default)]
struct Growing {
    last: Option<u64>,
    grown: u64,
}

impl Growing {
    fn read(&mut self, value: u64, restarted: bool) {
        let before = match self.last {
            Some(last) if !restarted => {
                if value >= last {
                    last
                } else {
                    0
                }
            }
            Some(_) => 0,
            None => value,
        };
        self.grown = self.grown.saturating_add(value - before);
        self.last = Some(value);
    }
}

/// What one node used during a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeUse {
    /// Its name.
    pub name: String,
    /// Processor seconds during the run.
    pub cpu_seconds: f64,
    /// The most memory it held, in megabytes of a million bytes.
    pub rss_mb: f64,
}

struct Watched {
    name: String,
    base: String,
    home: PathBuf,
    pid: Option<u32>,
    cpu: Growing,
    rss_mb: f64,
    timeouts: Growing,
    status: Option<Status>,
}

/// One look at the whole testnet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// The highest committed height of any node that answers.
    pub height: u64,
    /// The name of the current leader, as the highest node sees it.
    pub leader: Option<String>,
    /// Nodes that answer and vote.
    pub voting: usize,
    /// All nodes.
    pub nodes: usize,
    /// Views given up since the watch began, as the node that gave up most counts them; `None` if
    /// no node has said.
    pub timeouts: Option<u64>,
    /// Why there are no blocks, if a node says so.
    pub why_no_blocks: Option<String>,
}

/// The watch.
pub struct Monitor {
    home: Home,
    http: Http,
    nodes: Vec<Watched>,
}

impl Monitor {
    /// A watch over the testnet in `home`; nothing is read yet.
    ///
    /// # Errors
    /// When there is no testnet.
    pub fn new(home: &Home, http: Http) -> anyhow::Result<Self> {
        let watched = |node: crate::home::Node| Watched {
            name: node.name,
            base: node.http,
            home: node.home,
            pid: None,
            cpu: Growing::default(),
            rss_mb: 0.0,
            timeouts: Growing::default(),
            status: None,
        };
        let nodes = home.load()?.nodes.into_iter().map(watched).collect();
        Ok(Self { home: home.clone(), http, nodes })
    }

    /// Reads everything anew.
    pub async fn look(&mut self) -> Picture {
        let pids: Vec<Option<u32>> = match self.home.load() {
            Ok(state) => state.nodes.iter().map(|node| node.pid).collect(),
            Err(_) => vec![None; self.nodes.len()],
        };
        let http = &self.http;
        let looks = self.nodes.iter_mut().zip(pids).map(|(node, pid)| node.look(http, pid));
        futures::future::join_all(looks).await;
        self.picture()
    }

    fn picture(&self) -> Picture {
        let statuses = || self.nodes.iter().filter_map(|node| node.status.as_ref());
        let best = statuses().max_by_key(|status| (status.height, status.view));
        let leader = best.and_then(|status| self.nodes.get(status.leader.as_usize()));
        let counted = self.nodes.iter().filter(|node| node.timeouts.last.is_some());
        Picture {
            height: best.map_or(0, |status| status.height.get()),
            leader: leader.map(|node| node.name.clone()),
            voting: statuses().filter(|status| status.voting).count(),
            nodes: self.nodes.len(),
            timeouts: counted.map(|node| node.timeouts.grown).max(),
            why_no_blocks: best.and_then(|status| status.why_no_blocks.clone()),
        }
    }

    /// What each node has used since the first look.
    #[must_use]
    pub fn uses(&self) -> Vec<NodeUse> {
        let one = |node: &Watched| NodeUse {
            name: node.name.clone(),
            cpu_seconds: node.cpu.grown as f64 / 1_000.0,
            rss_mb: rounded(node.rss_mb),
        };
        self.nodes.iter().map(one).collect()
    }

    /// The base URL of the highest node that answered the last look.
    #[must_use]
    pub fn highest(&self) -> Option<&str> {
        let height = |node: &&Watched| node.status.as_ref().map(|status| status.height);
        let up = self.nodes.iter().filter(|node| node.status.is_some());
        up.max_by_key(height).map(|node| node.base.as_str())
    }
}

impl Watched {
    async fn look(&mut self, http: &Http, pid: Option<u32>) {
        let pid = pid.filter(|pid| process::runs(*pid, &self.home));
        let restarted = pid.is_some() && self.pid.is_some() && pid != self.pid;
        if let Some(Usage { cpu_ms, rss_mb }) = pid.and_then(process::usage) {
            self.cpu.read(cpu_ms, restarted);
            self.rss_mb = self.rss_mb.max(rss_mb);
        }
        self.pid = pid.or(self.pid);
        self.status = match pid {
            Some(_) => http.status(&self.base).await.ok(),
            None => None,
        };
        if self.status.is_some()
            && let Ok(count) = http.counter(&self.base, TIMEOUTS).await
        {
            self.timeouts.read(count, restarted);
        }
    }
}

/// To two places, as people read it.
#[must_use]
pub fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_added_over_restarts() {
        let mut value = Growing::default();
        for (reading, restarted) in [(10, false), (14, false), (1, false), (3, false)] {
            value.read(reading, restarted);
        }
        assert_eq!(value.grown, 7);
        value.read(5, true);
        assert_eq!(value.grown, 12, "a new process starts from zero");
    }
}
