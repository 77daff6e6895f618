//! The bytes of the stream protocol. Towards the reader: frames of a kind byte, a 32-bit
//! big-endian length and that many bytes. Towards the writer: reports of a fixed size, which say
//! what the reader took and that it lives.

use crate::config::Class;

/// Bytes before a frame's body.
pub(crate) const HEADER_BYTES: usize = 5;
/// Bytes of a heartbeat's body: the writer's clock, in microseconds of its own.
pub(crate) const HEARTBEAT_BYTES: usize = 8;
/// Bytes of a report.
pub(crate) const REPORT_BYTES: usize = 21;

const HEARTBEAT_CODE: u8 = 0;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// "I am here"; answered by the next report.
    Heartbeat,
    /// A message for the application.
    Message(Class),
}

/// Why a stream cannot be read further. The peer is disconnected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("unknown frame kind {code}")]
    Kind { code: u8 },
    #[error("frame of kind {code} announces {bytes} bytes, allowed are 1 to {bytes_max}")]
    Length { code: u8, bytes: u32, bytes_max: usize },
    #[error("report counts {received} bytes of {sent} sent")]
    Report { received: u64, sent: u64 },
}

impl Kind {
    const fn code(self) -> u8 {
        match self {
            Self::Heartbeat => HEARTBEAT_CODE,
            Self::Message(class) => class.code(),
        }
    }
}

/// The header of a frame whose body was checked to be within its bound.
pub(crate) fn encode_header(kind: Kind, body_bytes: usize) -> [u8; HEADER_BYTES] {
    let length = u32::try_from(body_bytes).expect("bodies are bounded far below 4 GiB");
    let mut header = [0; HEADER_BYTES];
    header[0] = kind.code();
    header[1..].copy_from_slice(&length.to_be_bytes());
    header
}

/// Reads a header. The length is within the kind's bound.
pub(crate) fn decode_header(header: [u8; HEADER_BYTES]) -> Result<(Kind, usize), FrameError> {
    let [code, a, b, c, d] = header;
    let bytes = u32::from_be_bytes([a, b, c, d]);
    let (kind, bytes_min, bytes_max) = match Class::from_code(code) {
        Some(class) => (Kind::Message(class), 1, class.bytes_max()),
        None if code == HEARTBEAT_CODE => (Kind::Heartbeat, HEARTBEAT_BYTES, HEARTBEAT_BYTES),
        None => return Err(FrameError::Kind { code }),
    };
    match usize::try_from(bytes) {
        Ok(length) if (bytes_min..=bytes_max).contains(&length) => Ok((kind, length)),
        _ => Err(FrameError::Length { code, bytes, bytes_max }),
    }
}

/// What the reader tells the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// Bytes of messages and their headers taken since the stream opened.
    pub(crate) received: u64,
    /// The clock of the newest heartbeat; 0 before the first.
    pub(crate) echo: u64,
    /// For how many microseconds that heartbeat has been here.
    pub(crate) held_micros: u32,
    /// The reader does not read because its application is behind.
    pub(crate) waiting: bool,
}

impl Report {
    pub(crate) fn encode(self) -> [u8; REPORT_BYTES] {
        let mut bytes = [0; REPORT_BYTES];
        bytes[..8].copy_from_slice(&self.received.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.echo.to_be_bytes());
        bytes[16..20].copy_from_slice(&self.held_micros.to_be_bytes());
        bytes[20] = u8::from(self.waiting);
        bytes
    }

    /// Reads a report about a stream on which `sent` bytes were sent.
    pub(crate) fn decode(bytes: [u8; REPORT_BYTES], sent: u64) -> Result<Self, FrameError> {
        let word = |from: usize| {
            u64::from_be_bytes(bytes[from..from + 8].try_into().expect("eight bytes"))
        };
        let received = word(0);
        if received > sent {
            return Err(FrameError::Report { received, sent });
        }
        let held = bytes[16..20].try_into().expect("four bytes");
        Ok(Self {
            received,
            echo: word(8),
            held_micros: u32::from_be_bytes(held),
            waiting: bytes[20] != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip_at_both_ends_of_every_bound() {
        for class in Class::ALL {
            for bytes in [1, class.bytes_max()] {
                let header = encode_header(Kind::Message(class), bytes);
                assert_eq!(decode_header(header), Ok((Kind::Message(class), bytes)));
            }
        }
        let heartbeat = encode_header(Kind::Heartbeat, HEARTBEAT_BYTES);
        assert_eq!(decode_header(heartbeat), Ok((Kind::Heartbeat, HEARTBEAT_BYTES)));
    }

    #[test]
    fn refuses_empty_and_oversized_frames() {
        for class in Class::ALL {
            for bytes in [0, class.bytes_max() + 1, u32::MAX as usize] {
                let header = encode_header(Kind::Message(class), bytes);
                assert!(matches!(decode_header(header), Err(FrameError::Length { .. })));
            }
        }
        let heartbeat = encode_header(Kind::Heartbeat, HEARTBEAT_BYTES + 1);
        assert!(matches!(decode_header(heartbeat), Err(FrameError::Length { .. })));
    }

    #[test]
    fn refuses_unknown_kinds() {
        for code in 6..=255 {
            let header = [code, 0, 0, 0, 1];
            assert_eq!(decode_header(header), Err(FrameError::Kind { code }));
        }
    }

    #[test]
    fn reports_round_trip_and_cannot_count_more_than_was_sent() {
        let report = Report { received: 10, echo: u64::MAX, held_micros: 77, waiting: true };
        assert_eq!(Report::decode(report.encode(), 10), Ok(report));
        assert_eq!(
            Report::decode(report.encode(), 9),
            Err(FrameError::Report { received: 10, sent: 9 })
        );
    }
}
