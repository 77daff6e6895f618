//! Destroy a node, data and all, the moment it said `available`. What it answered must become
//! final all the same, since a quorum of stake stores it.

use crate::clock::now_ns;
use crate::cluster::Cluster;
use crate::http::Http;
use crate::links::Links;
use crate::load::run::Events;
use crate::load::submit::Answered;
use crate::process;
use anyhow::{Context, Result, bail};
use chorale_client::api::Peer;
use rustix::process::Signal;
use serde::Serialize;
use std::time::{Duration, Instant};

/// The node that is destroyed.
pub const VICTIM: usize = 1;
/// The node that is cut off from it, where a link is cut.
const CUT_OFF: usize = 2;
/// How long the nodes may take to notice the cut; three view timeouts and some room.
const CUT_NOTICED_LIMIT: Duration = Duration::from_secs(10);
/// Longest wait for an answer by the victim.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// Longest wait until what it answered is final.
const FINAL_LIMIT: Duration = Duration::from_secs(60);

/// How often a waiting loop looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What was destroyed, and what became of its last word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Destroyed {
    /// The node's name.
    pub node: String,
    /// The node that could not be reached from it.
    pub cut_off: Option<String>,
    /// The transaction it had just called `available`.
    pub transaction: String,
    /// From reading that answer to the kill, in microseconds.
    pub killed_after_us: u64,
    /// From the kill until another node said that the transaction is final, in milliseconds.
    pub final_after_ms: u64,
}

/// Destroys [`VICTIM`] the moment it answers. With `links`, it is cut off from one other node
/// before that.
///
/// # Errors
/// When the victim answers nothing, or what it answered does not become final.
pub async fn destroy(
    cluster: &mut Cluster,
    links: Option<&Links>,
    events: &Events,
) -> Result<Destroyed> {
    let node = cluster.nodes()[VICTIM].clone();
    let pid = cluster.pid(VICTIM).context("the victim does not run")?;
    if let Some(links) = links {
        links.set_cut(VICTIM, CUT_OFF, true);
        eprintln!("cut the link between {} and {}", node.name, cluster.nodes()[CUT_OFF].name);
        wait_cut(&node.http).await?;
    }
    let answered = next_answer(events, &node.name).await?;
    process::send(pid, &node.home, Signal::KILL)?;
    let killed_at = now_ns();
    let began = Instant::now();
    cluster.finish_signal(VICTIM, Signal::KILL).await?;
    std::fs::remove_dir_all(&node.home)
        .with_context(|| format!("remove {}", node.home.display()))?;
    eprintln!("destroyed {} after it answered {}", node.name, answered.id);

    let survivor = &cluster.nodes()[0];
    wait_final(&survivor.http, &answered, began).await?;
    let final_after_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    eprintln!("{} is final {final_after_ms} ms later", answered.id);
    Ok(Destroyed {
        node: node.name,
        cut_off: links.map(|_| cluster.nodes()[CUT_OFF].name.clone()),
        transaction: answered.id.to_string(),
        killed_after_us: killed_at.saturating_sub(answered.at) / 1_000,
        final_after_ms,
    })
}

/// Waits until the victim itself says that it cannot reach the other node: a cut that nobody feels
/// would test nothing.
async fn wait_cut(base: &str) -> Result<()> {
    let (http, began) = (Http::new()?, Instant::now());
    while began.elapsed() < CUT_NOTICED_LIMIT {
        let status = http.status(base).await?;
        let felt = |peer: &Peer| peer.index.as_usize() == CUT_OFF && !peer.connected;
        if status.peers.iter().any(felt) {
            eprintln!("the cut is felt after {} ms", began.elapsed().as_millis());
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    bail!("the link is cut, and {base} still has a connection after {CUT_NOTICED_LIMIT:?}")
}

/// Waits for an answer that comes from `node` after this call.
async fn next_answer(events: &Events, node: &str) -> Result<Answered> {
    let mut answers = events.answered.subscribe();
    answers.mark_unchanged();
    let wait = async {
        loop {
            answers.changed().await.context("the load ended")?;
            if let Some(answered) = answers.borrow_and_update().as_ref()
                && answered.node == node
            {
                return Ok(answered.clone());
            }
        }
    };
    match tokio::time::timeout(ANSWER_LIMIT, wait).await {
        Ok(answered) => answered,
        Err(_) => bail!("{node} answered nothing within {ANSWER_LIMIT:?}"),
    }
}

async fn wait_final(base: &str, answered: &Answered, began: Instant) -> Result<()> {
    let http = Http::new()?;
    while began.elapsed() < FINAL_LIMIT {
        if http.is_final(base, answered.rollup, &answered.id).await.unwrap_or(false) {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    bail!("{}, which was available, is not final after {FINAL_LIMIT:?}", answered.id)
}
