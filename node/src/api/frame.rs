//! Frames as text. A frame is rendered once, as the event a stream sends; the document inside it
//! is a slice of the same bytes.

use crate::ledger::{Frame, FrameView, HeartbeatView};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use chorale_types::ids::{RollupId, Sequence};

/// Where an event ends: one empty line.
const EVENT_END: &str = "\n\n";
/// From this size on a frame is rendered on a thread that may block.
const SMALL_BYTES: usize = 32 * 1024;

/// Whether rendering the frame is a matter of microseconds.
pub(super) fn is_small(view: &FrameView) -> bool {
    let payloads: usize = view.frame.transactions.iter().map(|payload| payload.len()).sum();
    payloads.saturating_add(view.frame.proof.len()) <= SMALL_BYTES
}

/// The frame as a stream's event: its cursor as `id`, the document as `data`.
pub(super) fn event(view: &FrameView) -> Bytes {
    view.rendered(render)
}

/// The frame's document alone.
pub(super) fn document(view: &FrameView) -> Bytes {
    let event = event(view);
    let start = event.iter().position(|byte| *byte == b'{').unwrap_or(0);
    event.slice(start..event.len().saturating_sub(EVENT_END.len()))
}

/// Everything in it is a number, hex or base64, so nothing needs escaping.
fn render(frame: &Frame) -> Bytes {
    let payloads: usize = frame.transactions.iter().map(|payload| 2 * payload.len() + 5).sum();
    let mut text = Vec::with_capacity(payloads + frame.proof.len() * 4 / 3 + 256);
    let Frame { rollup, sequence, height, time, .. } = frame;
    let head = format!(
        "event: block\nid: {sequence}\ndata: {{\"type\":\"block\",\"rollup\":{rollup},\
         \"sequence\":{sequence},\"height\":{height},\"time\":{},\"transactions\":[",
        time.as_millis()
    );
    text.extend_from_slice(head.as_bytes());
    for (index, payload) in frame.transactions.iter().enumerate() {
        text.extend_from_slice(if index == 0 { b"\"0x".as_slice() } else { b",\"0x" });
        let start = text.len();
        text.resize(start + 2 * payload.len(), 0);
        hex::encode_to_slice(payload, &mut text[start..]).expect("two digits for each byte");
        text.push(b'"');
    }
    text.extend_from_slice(b"],\"complete\":\"now\",\"proof\":\"");
    text.extend_from_slice(BASE64_STANDARD.encode(&frame.proof).as_bytes());
    text.extend_from_slice(b"\"}");
    text.extend_from_slice(EVENT_END.as_bytes());
    text.into()
}

/// "Nothing for you up to here", as a stream's event without a cursor. Before the chain's first
/// block there is nothing to prove it with, and it is a comment that keeps the connection open.
pub(super) fn heartbeat(rollup: RollupId, view: &HeartbeatView) -> Bytes {
    if view.proof.is_empty() {
        return Bytes::from_static(b": no block yet\n\n");
    }
    let HeartbeatView { next_sequence, height, complete_at, .. } = view;
    let proof = BASE64_STANDARD.encode(&view.proof);
    format!(
        "event: heartbeat\ndata: {{\"type\":\"heartbeat\",\"rollup\":{rollup},\
         \"next_sequence\":{next_sequence},\"height\":{height},\
         \"complete\":{{\"at_height\":{complete_at}}},\"proof\":\"{proof}\"}}{EVENT_END}"
    )
    .into()
}

/// "You are slow, I go on from storage", as a stream's event without a cursor.
pub(super) fn lagging(rollup: RollupId, from: Sequence) -> Bytes {
    format!(
        "event: lagging\ndata: {{\"type\":\"lagging\",\"rollup\":{rollup},\
         \"from_sequence\":{from}}}{EVENT_END}"
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chorale_types::ids::Height;
    use chorale_types::time::Timestamp;
    use serde_json::json;

    fn view() -> FrameView {
        FrameView::new(Frame {
            rollup: RollupId::new(7),
            sequence: Sequence::new(3),
            height: Height::new(12),
            time: Timestamp::from_millis(1_700),
            transactions: vec![[0x00, 0xff].as_slice().into(), [0x1a].as_slice().into()],
            proof: vec![1, 2, 3, 4],
        })
    }

    #[test]
    fn a_frame_is_one_event_with_its_cursor() {
        let view = view();
        let text = String::from_utf8(event(&view).to_vec()).unwrap();
        let data = text.strip_prefix("event: block\nid: 3\ndata: ").unwrap();
        let data = data.strip_suffix("\n\n").unwrap();
        assert!(!data.contains('\n'));
        assert_eq!(data.as_bytes(), document(&view));
    }

    #[test]
    fn a_frame_is_the_published_document() {
        let document: serde_json::Value = serde_json::from_slice(&document(&view())).unwrap();
        let expected = json!({
            "type": "block", "rollup": 7, "sequence": 3, "height": 12, "time": 1700,
            "transactions": ["0x00ff", "0x1a"], "complete": "now", "proof": "AQIDBA==",
        });
        assert_eq!(document, expected);
    }

    #[test]
    fn heartbeats_and_lag_notices_carry_no_cursor() {
        let beat = HeartbeatView {
            next_sequence: Sequence::new(4),
            height: Height::new(20),
            complete_at: Height::new(18),
            proof: vec![9],
        };
        for (text, expected) in [
            (
                heartbeat(RollupId::new(7), &beat),
                json!({"type": "heartbeat", "rollup": 7, "next_sequence": 4, "height": 20,
                       "complete": {"at_height": 18}, "proof": "CQ=="}),
            ),
            (
                lagging(RollupId::new(7), Sequence::new(4)),
                json!({"type": "lagging", "rollup": 7, "from_sequence": 4}),
            ),
        ] {
            let text = String::from_utf8(text.to_vec()).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.len(), 3, "an event, its data, an empty line: {text}");
            assert!(lines[0].starts_with("event: ") && lines[2].is_empty());
            let data = lines[1].strip_prefix("data: ").unwrap();
            assert_eq!(serde_json::from_str::<serde_json::Value>(data).unwrap(), expected);
        }
    }
}
