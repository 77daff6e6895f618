//! `chorale status`: how a node is.

use super::setup;
use crate::home::Home;
use anyhow::{Context as _, Result};
use chorale_client::Client;
use chorale_client::api::{Peer, Status};
use clap::Args;
use serde::Deserialize;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Tells how a node is: height, view, whether it votes, whom it is connected to.
#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    /// The node's home folder, by default CHORALE_HOME; the node must be running.
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    home: Option<PathBuf>,
    /// The node's address, such as http://127.0.0.1:8080.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl StatusArgs {
    /// Asks and prints.
    ///
    /// # Errors
    /// When no node answers there.
    pub(crate) async fn run(self) -> Result<()> {
        let url = match self.url {
            Some(url) => url,
            None => url_of(&Home::named(self.home).map_err(setup)?)?,
        };
        let status = Client::new([&url]).map_err(setup)?.status().await?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&status)?);
        } else {
            print!("{}", describe(&status));
        }
        Ok(())
    }
}

/// Where the node of a home folder listens, as it wrote down when it started.
fn url_of(home: &Home) -> Result<String> {
    #[derive(Deserialize)]
    struct Run {
        http: String,
    }
    let path = home.run();
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("{} cannot be read; does the node run?", path.display()))?;
    let run: Run = serde_json::from_str(&text)
        .with_context(|| format!("{} is not what a node writes", path.display()))?;
    Ok(if run.http.starts_with("http://") { run.http } else { format!("http://{}", run.http) })
}

fn describe(status: &Status) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        writeln!(text, "{name:<9}{value}").expect("writing to a string does not fail");
    };
    line("chain", format!("{} {}", status.chain_name, status.chain));
    line(
        "node",
        match status.validator {
            Some(index) => format!("{}, validator {index}, {}", status.name, status.version),
            None => format!("{}, follower, {}", status.name, status.version),
        },
    );
    let Status { height, ordered_height, view, epoch, leader, .. } = status;
    let ago = match status.last_commit_ms_ago {
        Some(ms) => format!("last block {ms} ms ago"),
        None => "no block yet".into(),
    };
    line("height", format!("{height}, ordered {ordered_height}, {ago}"));
    line("view", format!("{view} of epoch {epoch}, led by {leader}"));
    line("doing", doing(status));
    if let Some(why) = &status.why_no_blocks {
        line("problem", format!("no blocks: {why}"));
    }
    let open = status.peers.iter().filter(|peer| peer.stream).count();
    line("peers", format!("{open} of {} with an open stream", status.peers.len()));
    for peer in &status.peers {
        line("", describe_peer(peer));
    }
    text
}

fn doing(status: &Status) -> String {
    let mut parts = Vec::new();
    if status.syncing {
        parts.push("catching up".into());
    }
    parts.push(match (status.voting, &status.voting_reason) {
        (true, _) => "voting".into(),
        (false, Some(why)) => format!("not voting: {why}"),
        (false, None) => "not voting".into(),
    });
    parts.push(match (status.owns_lane, &status.lane_reason) {
        (true, _) => "taking transactions".into(),
        (false, Some(why)) if status.voting_reason.as_ref() != Some(why) => {
            format!("taking none: {}", why.trim_start_matches("no lane: "))
        }
        (false, _) => "taking none".into(),
    });
    parts.join(", ")
}

fn describe_peer(peer: &Peer) -> String {
    let state = match (peer.connected, peer.stream) {
        (_, true) => "open",
        (true, false) => "connected, no stream",
        (false, false) => "not connected",
    };
    let rtt = peer.rtt_ms.map(|ms| format!(", {ms:.1} ms")).unwrap_or_default();
    format!("{} {}: {state}{rtt}", peer.index, peer.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn status() -> Status {
        serde_json::from_value(json!({
            "version": "0.1.0 (abc)", "chain": "0xaa", "chain_name": "test", "name": "node1",
            "validator": 1, "height": 12, "view": 14, "epoch": 1, "leader": 2,
            "ordered_height": 11, "syncing": false, "voting": true, "voting_reason": null,
            "owns_lane": true, "lane_reason": null, "why_no_blocks": null, "last_commit_ms_ago": 31,
            "peers": [
                {"index": 0, "name": "a", "connected": true, "stream": true, "rtt_ms": 0.42},
                {"index": 2, "name": "b", "connected": false, "stream": false, "rtt_ms": null},
            ],
        }))
        .unwrap()
    }

    #[test]
    fn says_how_the_node_is() {
        let expected = "\
chain    test 0xaa
node     node1, validator 1, 0.1.0 (abc)
height   12, ordered 11, last block 31 ms ago
view     14 of epoch 1, led by 2
doing    voting, taking transactions
peers    1 of 2 with an open stream
         0 a: open, 0.4 ms
         2 b: not connected
";
        assert_eq!(describe(&status()), expected);
    }

    #[test]
    fn says_why_it_does_not_vote_and_there_are_no_blocks() {
        let text = describe(&Status {
            syncing: true,
            voting: false,
            voting_reason: Some("the vote record is damaged".into()),
            owns_lane: false,
            lane_reason: Some("the store was lost".into()),
            why_no_blocks: Some("2 of 4 validators connected".into()),
            last_commit_ms_ago: None,
            ..status()
        });
        for part in [
            "catching up, not voting: the vote record is damaged, taking none: the store was lost",
            "problem  no blocks: 2 of 4 validators connected",
            "no block yet",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn a_home_folder_leads_to_its_node() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        let why = url_of(&home).unwrap_err().to_string();
        assert!(why.contains("does the node run?"), "{why}");
        std::fs::create_dir(home.data()).unwrap();
        let run = home.run();
        std::fs::write(&run, "{}").unwrap();
        assert!(url_of(&home).is_err());
        std::fs::write(&run, r#"{"pid": 1, "http": "127.0.0.1:8080", "p2p": []}"#).unwrap();
        assert_eq!(url_of(&home).unwrap(), "http://127.0.0.1:8080");
    }
}
