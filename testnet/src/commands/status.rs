//! `testnet status`.

use super::{Failure, Usage, Verdict, home};
use crate::cli::StatusCommand;
use crate::home::Node;
use crate::http::Http;
use crate::{process, report};
use chorale_client::api::Status;
use futures::future::join_all;
use owo_colors::{OwoColorize, Stream};
use serde_json::{Value, json};
use std::path::Path;

struct Row {
    node: Node,
    runs: bool,
    status: Result<Status, String>,
}

/// Shows every node; fails if one does not run or does not answer.
pub(super) async fn status(command: &StatusCommand) -> Result<Verdict, Failure> {
    let home = home(&command.home)?;
    let state = home.load().usage()?;
    let http = Http::new()?;
    let rows = join_all(state.nodes.into_iter().map(|node| look(&http, node))).await;
    if let Some(file) = &command.json.json {
        report::write_json(&rows.iter().map(Row::json).collect::<Vec<_>>(), file)?;
    }
    if command.json.json.as_deref() != Some(Path::new("-")) {
        println!("node      process  height    view      leader  peers  state");
        rows.iter().for_each(|row| println!("{}", row.line()));
    }
    let well = rows.iter().all(|row| row.runs && row.status.is_ok());
    Ok(if well { Verdict::Passed } else { Verdict::Failed })
}

async fn look(http: &Http, node: Node) -> Row {
    let runs = node.pid.is_some_and(|pid| process::runs(pid, &node.home));
    let status = match runs {
        true => http.status(&node.http).await.map_err(|error| format!("{error:#}")),
        false => Err("does not run".to_owned()),
    };
    Row { node, runs, status }
}

impl Row {
    fn json(&self) -> Value {
        let mut value = json!({"name": self.node.name, "http": self.node.http,
            "pid": self.node.pid.filter(|_| self.runs), "running": self.runs});
        match &self.status {
            Ok(status) => {
                value["status"] = json!(status);
            }
            Err(why) => value["error"] = json!(why),
        }
        value
    }

    fn line(&self) -> String {
        let name = &self.node.name;
        let out = Stream::Stdout;
        let pid = self.node.pid.filter(|_| self.runs).map_or("-".to_owned(), |p| p.to_string());
        match &self.status {
            Ok(status) => {
                let Status { height, view, leader, .. } = status;
                let peers = connected(status);
                let state = state_of(status);
                let state = if status.voting {
                    state.if_supports_color(out, |text| text.green()).to_string()
                } else {
                    state.if_supports_color(out, |text| text.yellow()).to_string()
                };
                format!("{name:<9} {pid:<8} {height:<9} {view:<9} {leader:<7} {peers:<6} {state}")
            }
            Err(why) => {
                let why = why.if_supports_color(out, |text| text.red());
                format!("{name:<9} {pid:<8} {:<9} {:<9} {:<7} {:<6} {why}", "-", "-", "-", "-")
            }
        }
    }
}

fn connected(status: &Status) -> usize {
    status.peers.iter().filter(|peer| peer.connected).count()
}

fn state_of(status: &Status) -> String {
    let mut state = match (status.voting, &status.voting_reason) {
        (true, _) => "votes".to_owned(),
        (false, Some(why)) => format!("does not vote: {why}"),
        (false, None) => "does not vote".to_owned(),
    };
    if status.syncing {
        state += ", catching up";
    }
    if let Some(why) = &status.why_no_blocks {
        state += &format!("; {why}");
    }
    state
}
