//! `chorale keys`: looks at a node's keys. Secrets are never printed.

use super::setup;
use crate::home::Home;
use crate::keys::{self, PublicKeys};
use anyhow::Result;
use clap::Subcommand;
use serde_json::json;
use std::path::PathBuf;

/// Looks at a node's keys.
#[derive(Subcommand, Debug)]
pub enum KeysCommand {
    /// Shows the public halves.
    Show {
        /// The home folder, by default CHORALE_HOME.
        #[arg(long, value_name = "DIR")]
        home: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

impl KeysCommand {
    /// Shows what was asked for.
    ///
    /// # Errors
    /// When the keys cannot be read, or others could read them too.
    pub fn run(self) -> Result<()> {
        let Self::Show { home, json } = self;
        let show = || -> Result<()> {
            let PublicKeys { bls, network, operator } =
                keys::public_keys(&Home::named(home)?.keys())?;
            if json {
                let all = json!({ "bls": bls, "network": network, "operator": operator });
                println!("{}", serde_json::to_string_pretty(&all)?);
            } else {
                println!("bls      {bls}\nnetwork  {network}\noperator {operator}");
            }
            Ok(())
        };
        show().map_err(setup)
    }
}
