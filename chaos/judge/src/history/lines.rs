//! The lines of one file.
//!
//! A process that was killed may leave its last line cut, and its successor goes on behind the cut:
//! then one line holds the beginning of one object and the whole of another, which must be a
//! `start`. Every other line that cannot be read makes the run invalid.

use crate::report::Place;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::sync::Arc;

/// Longest line that is read, in bytes: no block or frame is longer.
const LINE_MAX: usize = 256 * 1024 * 1024;

/// Reads a file of one object a line.
pub struct Lines {
    reader: BufReader<File>,
    place: Place,
    buffer: Vec<u8>,
}

/// One line.
pub enum Line<T> {
    /// An object.
    Is(T),
    /// The end of a cut line, behind which another object starts.
    AfterCut(T),
    /// Nothing that can be read.
    Unreadable(String),
}

impl Lines {
    /// Opens a file, which is named `name` in what is said about it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path, name: &str) -> io::Result<Self> {
        let reader = BufReader::with_capacity(1 << 16, File::open(path)?);
        Ok(Self { reader, place: Place { file: Arc::from(name), line: 0 }, buffer: Vec::new() })
    }

    /// The next line; `None` at the end, and at a last line that was cut.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn next_line<T: DeserializeOwned>(&mut self) -> io::Result<Option<(Place, Line<T>)>> {
        self.buffer.clear();
        self.reader.read_until(b'\n', &mut self.buffer)?;
        if self.buffer.last() != Some(&b'\n') || self.buffer.len() > LINE_MAX {
            return Ok(None);
        }
        self.place.line += 1;
        let line = match serde_json::from_slice(&self.buffer) {
            Ok(object) => Line::Is(object),
            Err(error) => match self.behind_cut() {
                Some(object) => Line::AfterCut(object),
                None => Line::Unreadable(error.to_string()),
            },
        };
        Ok(Some((self.place.clone(), line)))
    }

    fn behind_cut<T: DeserializeOwned>(&self) -> Option<T> {
        let at = self.buffer.iter().rposition(|byte| *byte == b'{').filter(|at| *at > 0)?;
        serde_json::from_slice(&self.buffer[at..]).ok()
    }

    /// Where the file stands.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }
}
