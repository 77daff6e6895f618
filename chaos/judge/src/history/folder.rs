//! Which files a run consists of.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How deep histories may lie below the folder.
const DEPTH_MAX: u32 = 3;

/// The files of a run, each with its name from the folder.
#[derive(Debug, Default)]
pub struct Folder {
    /// The document that the chain starts from.
    pub genesis: Option<PathBuf>,
    /// Histories of nodes.
    pub nodes: Vec<(PathBuf, String)>,
    /// Histories of loads.
    pub clients: Vec<(PathBuf, String)>,
    /// Histories of followers.
    pub followers: Vec<(PathBuf, String)>,
    /// What was broken on purpose.
    pub faults: Option<(PathBuf, String)>,
}

impl Folder {
    /// Finds the files of a run. `path` is the folder of the histories, or one above that has them
    /// in `record`; `genesis.json` lies in it or in the folder above.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn find(path: &Path) -> io::Result<Self> {
        let record = path.join("record");
        let root = if record.is_dir() { record } else { path.to_path_buf() };
        let mut found = Self::default();
        found.walk(&root, "", DEPTH_MAX)?;
        let above = root.canonicalize()?.parent().map(Path::to_path_buf);
        let places = [Some(root), Some(path.to_path_buf()), above].into_iter().flatten();
        found.genesis = places.map(|place| place.join("genesis.json")).find(|file| file.is_file());
        for files in [&mut found.nodes, &mut found.clients, &mut found.followers] {
            files.sort();
        }
        Ok(found)
    }

    fn walk(&mut self, folder: &Path, prefix: &str, depth: u32) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let full = format!("{prefix}{name}");
            if path.is_dir() {
                if depth > 1 {
                    self.walk(&path, &format!("{full}/"), depth - 1)?;
                }
            } else if name == "faults.jsonl" {
                self.faults = Some((path, full));
            } else if let Some(stem) = name.strip_suffix(".jsonl") {
                let files = if stem == "client" || stem.starts_with("client-") {
                    &mut self.clients
                } else if stem.starts_with("follower-") {
                    &mut self.followers
                } else {
                    &mut self.nodes
                };
                files.push((path, full));
            }
        }
        Ok(())
    }
}
