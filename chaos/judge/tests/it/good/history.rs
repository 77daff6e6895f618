//! A run's histories as lines, to be changed and judged.

use super::World;
use super::keys::document;
use chorale_judge::history::folder::Folder;
use chorale_judge::judge_chain;
use chorale_judge::report::Report;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use tempfile::TempDir;

/// The files of a run, by name.
#[derive(Clone)]
pub struct History {
    pub genesis: Value,
    pub files: BTreeMap<String, Vec<Value>>,
    /// What follows a file's last line, without an end.
    pub torn: BTreeMap<String, String>,
}

impl History {
    pub fn new(world: &World) -> Self {
        let genesis = document(&world.fields);
        Self { genesis, files: BTreeMap::new(), torn: BTreeMap::new() }
    }

    pub fn add(&mut self, file: &str, line: Value) {
        self.files.entry(file.to_owned()).or_default().push(line);
    }

    pub fn write(&self, folder: &Path) {
        std::fs::write(folder.join("genesis.json"), self.genesis.to_string()).unwrap();
        for (name, lines) in &self.files {
            let mut text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            text.push_str(self.torn.get(name).map_or("", String::as_str));
            std::fs::write(folder.join(name), text).unwrap();
        }
    }

    /// Writes it and has it judged.
    pub fn judge(&self, world: &World) -> Report {
        let folder = TempDir::new().unwrap();
        self.write(folder.path());
        judge_chain(&world.chain, &Folder::find(folder.path()).unwrap()).unwrap()
    }

    pub fn lines(&mut self, file: &str) -> &mut Vec<Value> {
        self.files.get_mut(file).unwrap()
    }

    /// Where the `nth` line of a file is for which something holds.
    pub fn find(&self, file: &str, nth: usize, is: impl Fn(&Value) -> bool) -> usize {
        let lines = self.files[file].iter().enumerate().filter(|(_, line)| is(line));
        let found = lines.map(|(at, _)| at).nth(nth);
        found.unwrap_or_else(|| panic!("{file} has no {nth}th such line"))
    }

    /// Changes that line.
    pub fn edit(
        &mut self,
        file: &str,
        nth: usize,
        is: impl Fn(&Value) -> bool,
        change: impl FnOnce(&mut Value),
    ) {
        let at = self.find(file, nth, is);
        change(&mut self.lines(file)[at]);
    }

    /// Names of files that begin so.
    pub fn named(&self, prefix: &str) -> Vec<String> {
        self.files.keys().filter(|name| name.starts_with(prefix)).cloned().collect()
    }
}

/// Whether a line has such a `type` or `kind`.
pub fn of(kind: &str) -> impl Fn(&Value) -> bool {
    move |line| line["type"] == kind || line["kind"] == kind
}

/// Whether a line is a statement with such a tag of a message.
pub fn saying(tag: u8) -> impl Fn(&Value) -> bool {
    move |line| {
        line["kind"] == "statement"
            && line["bytes"].as_str().unwrap()[..6] == format!("0x01{tag:02x}")
    }
}

pub fn hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

pub fn unhex(value: &Value) -> Vec<u8> {
    hex::decode(&value.as_str().unwrap()[2..]).unwrap()
}
