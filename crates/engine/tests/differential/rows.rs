//! Rows of all kinds, and who holds them.

use larch_logql::{InputRow, LabelMatcher};
use larch_types::{Labels, Matcher, PushStamp, RowOrder, StreamId, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;

/// Rows are in this many seconds.
pub(crate) const SECONDS: i64 = 60;

/// Holders: bit 0 gives rows one by one, bits 1 to 4 are segments.
pub(crate) const HOLDERS: u8 = 5;

pub(crate) const STREAMS: [&str; 5] = [
    r#"{app="a", env="prod"}"#,
    r#"{app="a", env="dev", status="up"}"#,
    r#"{app="b", took="7"}"#,
    r#"{app="b", detected_level="odd", level="x"}"#,
    r#"{app="c", user="ann"}"#,
];

/// One row, and one copy of it for every holder.
#[derive(Debug, Clone)]
pub(crate) struct HeldRow {
    pub(crate) labels: Labels,
    pub(crate) stream: StreamId,
    pub(crate) time: Timestamp,
    pub(crate) line: Vec<u8>,
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) level: Option<&'static str>,
    pub(crate) copies: Vec<Copy>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Copy {
    pub(crate) holder: u8,
    pub(crate) stamp: u128,
}

impl HeldRow {
    pub(crate) fn pairs(&self) -> Vec<(&str, &str)> {
        self.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    pub(crate) fn input<'r>(&'r self, pairs: &'r [(&'r str, &'r str)], stamp: u128) -> InputRow<'r> {
        let order = RowOrder { timestamp: self.time, stamp: PushStamp(stamp), index: 0 };
        InputRow {
            stream: self.stream,
            labels: &self.labels,
            order,
            line: &self.line,
            metadata: pairs,
            level: self.level,
        }
    }

    pub(crate) fn is_in(&self, range: (Timestamp, Timestamp)) -> bool {
        range.0 <= self.time && self.time < range.1
    }
}

/// Those of streams that the matchers select.
pub(crate) fn selected(matchers: &[Matcher], rows: &[HeldRow]) -> Vec<HeldRow> {
    let matchers: Vec<_> =
        matchers.iter().map(|matcher| LabelMatcher::new(matcher).expect("a matcher")).collect();
    let is_selected = |row: &&HeldRow| {
        matchers.iter().all(|one| one.matches(row.labels.get(one.name()).unwrap_or("").as_bytes()))
    };
    rows.iter().filter(is_selected).cloned().collect()
}

/// What a row is made of: stream, time, form of the line, numbers in it, extras, holders, push.
type Given = (usize, (i64, i64), usize, (u32, u32), u8, u8, u128);

fn given() -> impl Strategy<Value = Given> {
    let time = (0..SECONDS, prop_oneof![4 => Just(0), 1 => 0..3_i64]);
    (0..STREAMS.len(), time, 0..14_usize, (0..900_u32, 0..6_u32), 0..64_u8, 1..1_u8 << HOLDERS, 0..5_u128)
}

/// Most lists have many lines of one form, so that pages of them are templates.
pub(crate) fn rows() -> impl Strategy<Value = Vec<HeldRow>> {
    let mixed = vec(given(), 0..60);
    let of_forms = (vec(given(), 0..150), 0..14_usize, 1..3_usize).prop_map(|(mut rows, form, forms)| {
        for row in &mut rows {
            row.2 = (form + row.2 % forms) % 14;
        }
        rows
    });
    prop_oneof![mixed, of_forms].prop_map(held_rows)
}

pub(crate) fn held_rows(given: Vec<Given>) -> Vec<HeldRow> {
    let mut rows: Vec<HeldRow> = Vec::new();
    for (stream, (second, nanos), form, numbers, extras, holders, stamp) in given {
        let labels: Labels = STREAMS[stream].parse().expect("labels");
        let time = Timestamp::from_nanos(second * 1_000_000_000 + nanos);
        let line = line(form, numbers).into_bytes();
        let metadata = metadata(extras, numbers.1);
        let stream = StreamId::of(&labels);
        let is_known = |row: &HeldRow| {
            row.stream == stream && row.time == time && row.line == line && row.metadata == metadata
        };
        if rows.iter().any(is_known) {
            continue;
        }
        let mut copies = Vec::new();
        for holder in (0..HOLDERS).filter(|holder| holders & (1 << holder) != 0) {
            // A copy that came by a retry was stamped anew.
            let is_retried = (extras >> (holder % 3)) & 8 != 0 && holder > 0;
            copies.push(Copy { holder, stamp: if is_retried { stamp + 7 } else { stamp } });
        }
        let level = [None, Some("info"), Some("error")][usize::from(extras % 3)];
        rows.push(HeldRow { labels, stream, time, line, metadata, level, copies });
    }
    rows
}

pub(crate) fn metadata(extras: u8, number: u32) -> Vec<(String, String)> {
    let pair = |name: &str, value: String| vec![(name.to_owned(), value)];
    match extras / 4 {
        0 => pair("trace", format!("{number:04x}")),
        1 => pair("status", "meta".to_owned()),
        2 => pair("user", number.to_string()),
        3 if number == 0 => pair("__error__", "Pushed".to_owned()),
        4 => pair("app", "meta".to_owned()),
        _ => Vec::new(),
    }
}

fn line(form: usize, (n, m): (u32, u32)) -> String {
    let method = ["GET", "POST", "PUT"][m as usize % 3];
    match form {
        0 => format!(r#"{{"level":"info","status":{n},"took":{m}.{n:02},"user":{m},"id":"{n:08x}{m:08x}"}}"#),
        1 => format!(
            r#"{{"msg":"request {n}","status":"{n}","took":"{n}ms","user":"u{m}","method":"{method}"}}"#
        ),
        2 => format!(r#"{{"a":{{"b":{n},"c":[{m}]}},"status":{m},"took":{n}.5,"size":"{n}KB","ERROR":{m}}}"#),
        3 => format!(r#"{{"status":{n},"status":{m},"bad":"\u00{n:02}x","k{m}":1,"took":1e{m}}}"#),
        4 => format!(r#"{{"status":-{n},"user":"{method}","took":tru{m}"#),
        5 => format!("level=info status={n} took={m}.{n}s user=\"u {m}\" method={method} size={n}KB"),
        6 => format!("status={n} took={m}ms status={m} bad\"{n} user={m} k{m}={n}"),
        7 => format!("[{method}] [x{m}] status={n} Error {n} of {m}"),
        8 => format!("10.0.{m}.{} - \"{method} /p/{n}\" {n} {m}", n % 256),
        9 => format!("error number {n} of id {n:08x}aa"),
        10 => format!(r#"{{"_entry":"status={n} user={m}","status":"{n}","user":"{m}"}}"#),
        11 => format!("GET {n} took {m}.{n}s\nsecond line ERROR"),
        12 => format!("Größe {n} \u{212a} {m} κ"),
        _ => String::new(),
    }
}
