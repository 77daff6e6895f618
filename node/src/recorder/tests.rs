use super::*;
use crate::testing::{batches, chain, committed};
use chorale_types::certificate::CommitCert;
use chorale_types::codec::decode_exact;
use tempfile::TempDir;

fn start(name: &str) -> Start {
    Start {
        program: "0.1.0 (abc)".into(),
        chain: Digest::from_bytes([1; 32]),
        name: name.into(),
        validator: Some(ValidatorIndex::new(3)),
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap().strip_prefix("0x").unwrap()).unwrap()
}

#[test]
fn a_history_has_one_object_a_line_of_every_kind() {
    let folder = TempDir::new().unwrap();
    let mut chain = chain(0);
    chain.add_batch(0, &[(1, b"x")]);
    let ordered = Arc::new(chain.add_block(100));
    let (block, batch) = (committed(&chain, 1), &batches(&chain, 1)[0]);
    let (rollup, id) = (RollupId::new(1), ordered.record.contents[0].delivered[0]);

    for _ in 0..2 {
        let (recorder, thread) =
            Recorder::start(folder.path(), start("n"), Clock::default()).unwrap();
        recorder.statement(b"signed");
        recorder.batch(SignedHeader { header: batch.header, signature: batch.owner_signature });
        recorder.commit(&block);
        recorder.ordered(&ordered);
        recorder.answered(Level::Available, vec![(rollup, id)]);
        recorder.answered(Level::Final, Vec::new());
        recorder.stop();
        thread.join().unwrap().unwrap();
    }
    let text = fs::read_to_string(folder.path().join("n.jsonl")).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    let once = ["start", "statement", "batch", "commit", "ordered", "answered", "stop"];
    assert_eq!(kinds, [once, once].concat(), "a restart appends");
    assert!(lines.iter().all(|line| line["t"].as_u64().unwrap() > 1_600_000_000_000));
    assert_eq!((&lines[0]["validator"], &lines[0]["version"]), (&json!(3), &json!(1)));
    assert_eq!(bytes(&lines[1]["bytes"]), b"signed");
    let header: SignedHeader = decode_exact(&bytes(&lines[2]["bytes"])).unwrap();
    assert_eq!(header.header, batch.header);
    let cert: CommitCert = decode_exact(&bytes(&lines[3]["certificate"])).unwrap();
    assert_eq!(cert, *block.cert);
    assert_eq!(lines[3]["hash"], json!(block.hash));
    let expected = json!([{ "rollup": 1, "sequence": 1, "ids": [id] }]);
    assert_eq!((&lines[4]["rollups"], &lines[4]["root"]), (&expected, &json!(ordered.root)));
    assert_eq!(lines[5]["level"], "available");
    assert_eq!(lines[5]["transactions"], json!([{ "rollup": 1, "id": id }]));
}

#[test]
fn what_could_not_be_written_in_time_is_counted_and_told() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("slow.jsonl");
    let (entries, waiting) = sync_channel(2);
    let lost = Arc::new(AtomicU64::new(0));
    let recorder = Recorder { clock: Clock::default(), entries, lost: Arc::clone(&lost) };
    (0..5).for_each(|_| recorder.statement(b"x"));
    drop(recorder);
    write(File::create(&path).unwrap(), &waiting, &lost).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["lost", "statement", "statement"]);
    assert_eq!(lines[0]["entries"], 3);
}
