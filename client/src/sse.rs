//! Server-sent events, as far as a node's streams use them.
//!
//! Written here because the usual crates buffer an event of any size; this one refuses an event
//! over [`EVENT_BYTES_MAX`]. Comments and `retry` are ignored, unknown fields too.

use chorale_types::limits::{BLOCK_BYTES_MAX, FRAME_PROOF_BYTES_MAX};
use thiserror::Error;

/// Longest event, in bytes: the largest block in hex, four thirds of the longest proof, and room
/// for what separates transactions.
#[allow(clippy::cast_possible_truncation)] // 64 MiB
pub const EVENT_BYTES_MAX: usize = 3 * BLOCK_BYTES_MAX as usize + 2 * FRAME_PROOF_BYTES_MAX;

/// One event.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Event {
    /// Its name; `message` when none was given.
    pub name: String,
    /// Its data; lines are joined by a line feed.
    pub data: String,
    /// Its id, when one was given with it.
    pub id: Option<String>,
}

/// Why the bytes are no event stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SseError {
    /// An event is longer than any a node may send.
    #[error("an event of more than {max} bytes")]
    TooLong {
        /// The bound.
        max: usize,
    },
    /// A line is not UTF-8.
    #[error("a line that is not UTF-8")]
    NotText,
}

/// Takes bytes as they come and gives events.
///
/// # Invariants
/// `line` and the fields together hold at most [`EVENT_BYTES_MAX`] and one chunk.
#[derive(Clone, Debug)]
pub struct Parser {
    max: usize,
    line: Vec<u8>,
    /// The last byte was a carriage return: a line feed now belongs to it.
    after_return: bool,
    name: String,
    data: Option<String>,
    id: Option<String>,
}

impl Default for Parser {
    fn default() -> Self {
        Self::with_limit(EVENT_BYTES_MAX)
    }
}

impl Parser {
    /// A parser that refuses events of more than `max` bytes.
    #[must_use]
    pub const fn with_limit(max: usize) -> Self {
        Self {
            max,
            line: Vec::new(),
            after_return: false,
            name: String::new(),
            data: None,
            id: None,
        }
    }

    /// Takes the next bytes, and returns the events that end in them.
    ///
    /// # Errors
    /// When an event is too long or not text. The stream cannot be read on.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<Vec<Event>, SseError> {
        let mut events = Vec::new();
        while let Some(first) = bytes.first() {
            if std::mem::take(&mut self.after_return) && *first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                self.extend(bytes)?;
                break;
            };
            self.extend(&bytes[..end])?;
            self.after_return = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            events.extend(self.end_line()?);
        }
        Ok(events)
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), SseError> {
        let held = self.line.len() + self.data.as_ref().map_or(0, String::len) + self.name.len();
        if held.saturating_add(bytes.len()) > self.max {
            return Err(SseError::TooLong { max: self.max });
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self) -> Result<Option<Event>, SseError> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return Ok(self.end_event());
        }
        let line = String::from_utf8(line).map_err(|_| SseError::NotText)?;
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.name = value.into(),
            "id" => self.id = Some(value.into()),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.into()),
            },
            _ => {}
        }
        Ok(None)
    }

    /// An empty line ends an event; one without data is none.
    fn end_event(&mut self) -> Option<Event> {
        let name = std::mem::take(&mut self.name);
        let id = self.id.take();
        let data = self.data.take()?;
        let name = if name.is_empty() { "message".into() } else { name };
        Some(Event { name, data, id })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn event(name: &str, data: &str, id: Option<&str>) -> Event {
        Event { name: name.into(), data: data.into(), id: id.map(Into::into) }
    }

    #[test]
    fn events_come_out_however_the_bytes_are_cut() {
        let text = b": hello\n\nevent: block\nid: 7\ndata: {\"a\":1}\n\nevent: x\r\ndata: b\r\ndata:c\r\n\r\ndata\n\n";
        let expected = [
            event("block", "{\"a\":1}", Some("7")),
            event("x", "b\nc", None),
            event("message", "", None),
        ];
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let events: Vec<Event> =
                text.chunks(size).flat_map(|chunk| parser.push(chunk).unwrap()).collect();
            assert_eq!(events, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn an_event_without_data_is_none_and_leaves_nothing_behind() {
        let mut parser = Parser::default();
        let events = parser.push(b"event: gone\nid: 3\n\ndata: x\n\n").unwrap();
        assert_eq!(events, [event("message", "x", None)]);
    }

    #[test]
    fn refuses_an_event_over_the_bound_and_keeps_no_more_than_it() {
        let mut parser = Parser::with_limit(64);
        let mut refused = false;
        for _ in 0..100 {
            match parser.push(b"data: 0123456789\n") {
                Ok(events) => assert!(events.is_empty()),
                Err(error) => {
                    assert_eq!(error, SseError::TooLong { max: 64 });
                    refused = true;
                    break;
                }
            }
        }
        assert!(refused);
        let mut parser = Parser::with_limit(64);
        assert!(parser.push(&[b'x'; 65]).is_err(), "a line without an end");
    }

    #[test]
    fn refuses_bytes_that_are_not_text() {
        assert_eq!(Parser::default().push(b"data: \xff\n"), Err(SseError::NotText));
    }
}
