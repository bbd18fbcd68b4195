//! The commands on the store of an installation, as an operator runs them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use bytes::Bytes;
use larch_launch::{Tool, with_store};
use larch_segment::{Effort, Provenance, Row, Segment, SegmentBuilder};
use larch_store::{Input, Key, NewSegment, entry_of};
use larch_types::{NodeId, SegmentId, Timestamp};

struct Installation {
    folder: tempfile::TempDir,
    config: String,
}

impl Installation {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("larch.yaml");
        let data = folder.path().join("data");
        let yaml = format!(
            "auth_enabled: false\ncommon:\n  path_prefix: {}\n  storage:\n    filesystem:\n      chunks_directory: {}\n",
            folder.path().display(),
            data.display()
        );
        fs::write(&file, yaml).unwrap();
        Self { config: format!("-config.file={}", file.display()), folder }
    }

    fn larchctl(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_larchctl"));
        let Output { status, stdout, stderr } = command.args(arguments).arg(&self.config).output().unwrap();
        let text = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
        (status.code().unwrap(), text)
    }

    fn with<F: Future<Output = Result<(), String>>>(&self, write: impl FnOnce(Tool) -> F) {
        with_store(std::slice::from_ref(&self.config), write).unwrap();
    }

    /// Files below the installation whose path has the text.
    fn files(&self, part: &str) -> Vec<PathBuf> {
        let (mut found, mut waiting) = (Vec::new(), vec![self.folder.path().to_owned()]);
        while let Some(folder) = waiting.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    waiting.push(path);
                } else if path.to_str().unwrap().contains(part) {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    }
}

fn segment(id: u128, lines: std::ops::Range<i64>, inputs: &[u128], siblings: &[u128]) -> Bytes {
    let ids = |ids: &[u128]| ids.iter().map(|id| SegmentId::from_u128(*id)).collect();
    let mut builder = SegmentBuilder::new();
    let stream = builder.stream(&r#"{app="a"}"#.parse().unwrap()).unwrap();
    for second in lines {
        let line = format!("line {second}");
        let row = Row {
            timestamp: Timestamp::from_secs(second),
            line: line.as_bytes(),
            metadata: &[],
            level: None,
        };
        builder.push(stream, &row, None).unwrap();
    }
    let (id, uploader) = (SegmentId::from_u128(id), NodeId::from_u128(9));
    let provenance =
        Provenance { id, uploader, inputs: ids(inputs), siblings: ids(siblings), tombstones: Vec::new() };
    builder.finish(provenance, Effort::Fresh).unwrap().bytes.into()
}

/// Puts and announces; carried segments travel inside their add.
async fn add(tool: &Tool, bytes: Bytes, carried: bool) -> Result<(), String> {
    let tenant = "t".parse().unwrap();
    let opened = Segment::open(&bytes, bytes.len() as u64).unwrap();
    let entry = entry_of(&opened, bytes.len() as u64).unwrap();
    let last = tool.env.clock.monotonic().plus(Duration::from_secs(3600));
    let (partition, id) = (entry.partition, tool.catalog.new_fact_id());
    if !carried {
        let key = Key::segment(&tenant, partition, entry.id);
        tool.store.put(&key, bytes.clone()).await.map_err(|error| error.to_string())?;
    }
    let new = NewSegment { entry, carried: carried.then_some(bytes) };
    tool.catalog.add(&tenant, partition, id, vec![new], last).await.map_err(|error| error.to_string())?;
    Ok(())
}

async fn put(tool: &Tool, bytes: &Bytes) {
    let opened = Segment::open(bytes, bytes.len() as u64).unwrap();
    let entry = entry_of(&opened, bytes.len() as u64).unwrap();
    tool.store
        .put(&Key::segment(&"t".parse().unwrap(), entry.partition, entry.id), bytes.clone())
        .await
        .unwrap();
}

fn flip(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    bytes[20] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn verify_finds_what_is_wrong() {
    let installation = Installation::new();
    assert_eq!(installation.larchctl(&["verify"]).0, 0, "nothing is stored yet");
    installation.with(async |tool: Tool| {
        add(&tool, segment(1, 0..10, &[], &[]), false).await?;
        add(&tool, segment(2, 10..20, &[], &[]), true).await?;
        add(&tool, segment(3, 20..30, &[], &[]), false).await?;
        put(&tool, &segment(4, 30..40, &[], &[])).await;
        Ok(())
    });
    let (code, text) = installation.larchctl(&["verify"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("orphan   t/seg/19700101/00000000000000000000000004.seg\n"), "{text}");
    assert!(text.contains("3 segments of 30 rows in"), "{text}");
    let (code, text) = installation.larchctl(&["catalog", "show", "--json", "--tenant", "t"]);
    let shown: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, shown[0]["segments"].as_array().unwrap().len()), (0, 3), "{text}");
    flip(&installation.files("00000000000000000000000001.seg")[0]);
    fs::remove_file(&installation.files("00000000000000000000000003.seg")[0]).unwrap();
    let (code, text) = installation.larchctl(&["verify", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    let problems: Vec<(&str, &str)> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["problem"].as_str().unwrap(), &one["object"].as_str().unwrap()[15..]))
        .collect();
    assert_eq!(code, 1);
    assert_eq!(
        problems,
        [
            ("corrupt", "00000000000000000000000001.seg"),
            ("missing", "00000000000000000000000003.seg"),
            ("orphan", "00000000000000000000000004.seg")
        ]
    );
    // A fact that cannot be read is damage too.
    flip(&installation.files("/cat/")[0]);
    let (code, text) = installation.larchctl(&["verify"]);
    assert!(code == 1 && text.contains("corrupt  t/cat/19700101/add-"), "{text}");
    assert_eq!(installation.larchctl(&["catalog"]).0, 2);
    assert_eq!(installation.larchctl(&["verify", "word"]).0, 1);
}

/// What is live by the catalog, as ids.
fn live(installation: &Installation) -> Vec<u128> {
    let (code, text) = installation.larchctl(&["catalog", "show", "--json"]);
    assert_eq!(code, 0, "{text}");
    let shown: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut ids = Vec::new();
    for partition in shown.as_array().unwrap() {
        for one in partition["segments"].as_array().unwrap() {
            ids.push(one["segment"].as_str().unwrap().parse::<SegmentId>().unwrap().as_u128());
        }
    }
    ids.sort_unstable();
    ids
}

#[test]
fn a_lost_catalog_is_made_again() {
    let installation = Installation::new();
    let day = 86_400;
    installation.with(async |tool: Tool| {
        for (id, lines) in [(1, 0..10), (2, 10..20), (6, day..day + 5)] {
            add(&tool, segment(id, lines, &[], &[]), false).await?;
        }
        add(&tool, segment(3, 20..30, &[], &[]), true).await?;
        // One merge of 1 and 3 has made 10 and 11; of another merge, of 2, one of two outputs is missing.
        for merged in [
            segment(10, 0..5, &[1, 3], &[11]),
            segment(11, 5..30, &[1, 3], &[10]),
            segment(12, 10..15, &[2], &[13]),
        ] {
            put(&tool, &merged).await;
        }
        let (tenant, input) =
            ("t".parse().unwrap(), |id| Input { id: SegmentId::from_u128(id), carried_by: None });
        let bytes = segment(10, 0..5, &[1, 3], &[11]);
        let entry =
            entry_of(&Segment::open(&bytes, bytes.len() as u64).unwrap(), bytes.len() as u64).unwrap();
        let last = tool.env.clock.monotonic().plus(Duration::from_secs(60));
        let (partition, id) = (entry.partition, tool.catalog.new_fact_id());
        let inputs = vec![input(1), input(3)];
        tool.catalog.swap(&tenant, partition, id, vec![entry], inputs, last).await.map_err(|e| e.to_string())
    });
    assert_eq!(live(&installation), [2, 6, 10]);
    // All facts but the add that carries a segment are lost.
    for file in installation.files("/cat/") {
        let carries = fs::read(&file).unwrap().windows(8).any(|bytes| bytes == b"LARCHSEG");
        if !carries {
            fs::remove_file(file).unwrap();
        }
    }
    assert_eq!(live(&installation), [3]);
    let (code, text) = installation.larchctl(&["catalog", "rebuild", "--dry-run"]);
    assert!(code == 0 && text.contains("would be announced"), "{text}");
    assert_eq!(live(&installation), [3], "a dry run writes nothing");
    let (code, text) = installation.larchctl(&["catalog", "rebuild"]);
    assert_eq!((code, text.trim_end()), (0, "6 segments of 60 rows were announced, in place of 2 others"));
    // 2 stays beside 12, because what else that merge made is not there.
    assert_eq!(live(&installation), [2, 6, 10, 11, 12]);
    assert!(installation.files("/pins/").is_empty(), "its pin is gone");
    let (code, text) = installation.larchctl(&["catalog", "rebuild"]);
    assert!(code == 0 && text.starts_with("0 segments"), "{text}");
    assert_eq!(installation.larchctl(&["verify"]).0, 0);
}

/// A day is readable again once what cannot be read of its catalog is set aside, with all rows that it carried.
#[test]
fn a_damaged_catalog_is_mended() {
    let (day, names) = (86_400, |files: &[PathBuf]| files.len());
    let installation = Installation::new();
    installation.with(async |tool: Tool| {
        add(&tool, segment(1, 0..10, &[], &[]), false).await?;
        add(&tool, segment(2, 10..20, &[], &[]), true).await?;
        add(&tool, segment(3, day..day + 10, &[], &[]), false).await?;
        put(&tool, &segment(4, 0..10, &[1], &[])).await;
        let (tenant, bytes) = ("t".parse().unwrap(), segment(4, 0..10, &[1], &[]));
        let entry =
            entry_of(&Segment::open(&bytes, bytes.len() as u64).unwrap(), bytes.len() as u64).unwrap();
        let last = tool.env.clock.monotonic().plus(Duration::from_secs(60));
        let (partition, id) = (entry.partition, tool.catalog.new_fact_id());
        let inputs = vec![Input { id: SegmentId::from_u128(1), carried_by: None }];
        tool.catalog.swap(&tenant, partition, id, vec![entry], inputs, last).await.map_err(|e| e.to_string())
    });
    assert_eq!(live(&installation), [2, 3, 4]);
    let facts = installation.files("/cat/19700101/");
    assert_eq!(names(&facts), 3);
    facts.iter().for_each(|fact| flip(fact));
    let (code, text) = installation.larchctl(&["catalog", "show"]);
    assert!(code == 1 && text.contains("t 19700101: unreadable: read t/cat/19700101/"), "{text}");
    assert!(text.contains("t 19700102: 1 live segments of 10 rows"), "the next day is shown: {text}");
    let (code, text) = installation.larchctl(&["verify"]);
    assert!(code == 1 && text.matches("corrupt  t/cat/19700101/").count() == 3, "{text}");
    let (code, text) = installation.larchctl(&["catalog", "rebuild", "--dry-run"]);
    assert!(code == 1 && text.ends_with("3 facts that cannot be read would be set aside\n"), "{text}");
    assert_eq!(installation.files("/cat/19700101/"), facts, "a dry run writes nothing");
    let (code, text) = installation.larchctl(&["catalog", "rebuild"]);
    assert!(code == 0 && text.matches("mended   t/cat/19700101/").count() == 3, "{text}");
    assert!(text.contains("3 segments of 30 rows were announced, in place of 1 others"), "{text}");
    assert_eq!(live(&installation), [2, 3, 4], "1 is replaced as its merge says, 2 is an object of its own");
    assert_eq!(names(&installation.files("/bad-")), 3, "what was set aside is kept");
    assert_eq!(installation.larchctl(&["verify"]).0, 0);
}

/// A gap that nobody sees is worse than a day that cannot be read.
#[test]
fn what_carries_damaged_rows_stays() {
    let installation = Installation::new();
    installation.with(async |tool: Tool| add(&tool, segment(2, 10..20, &[], &[]), true).await);
    let fact = &installation.files("/cat/")[0];
    flip(fact);
    let mut bytes = fs::read(fact).unwrap();
    let near_end = bytes.len() - 50;
    bytes[near_end] ^= 1;
    fs::write(fact, bytes).unwrap();
    for _ in 0..2 {
        let (code, text) = installation.larchctl(&["catalog", "rebuild"]);
        assert!(code == 1 && text.contains("corrupt  t/cat/") && text.contains("0 segments"), "{text}");
        assert!(installation.files("/bad-").is_empty() && fact.is_file());
    }
    assert_eq!(installation.larchctl(&["catalog", "show"]).0, 1);
}

/// A merge takes the place of its inputs only if all of it is there, also what facts say is there.
#[test]
fn a_merge_of_which_a_part_is_gone_replaces_nothing() {
    for (is_gone, want) in [(true, vec![1, 10, 11]), (false, vec![10, 11])] {
        let installation = Installation::new();
        installation.with(async |tool: Tool| {
            add(&tool, segment(10, 0..5, &[1], &[11]), false).await?;
            put(&tool, &segment(11, 5..10, &[1], &[10])).await;
            put(&tool, &segment(1, 0..10, &[], &[])).await;
            Ok(())
        });
        if is_gone {
            fs::remove_file(&installation.files("000000000A.seg")[0]).unwrap();
        }
        let (code, text) = installation.larchctl(&["catalog", "rebuild"]);
        assert_eq!(
            (code, text.contains("missing  t/seg/19700101/")),
            (i32::from(is_gone), is_gone),
            "{text}"
        );
        assert_eq!(live(&installation), want);
    }
}
