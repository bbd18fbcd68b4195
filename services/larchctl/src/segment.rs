//! `segment inspect` says what a segment file holds; `segment verify` reads all of it and checks it.

use std::fmt::Write;

use bytes::Bytes;
use larch_segment::{Inspection, Segment, inspect, verify};
use serde_json::{Value, json};

use crate::Failure;

pub(crate) fn run(arguments: &[&str]) -> Result<String, Failure> {
    let (is_json, words) = match arguments {
        [command, "--json", file] | [command, file, "--json"] | ["--json", command, file] => {
            (true, [*command, *file])
        }
        [command, file] => (false, [*command, *file]),
        _ => return Err(Failure::Usage),
    };
    match words {
        ["inspect", file] => {
            let object = read(file)?;
            let opened = Segment::open(&object, object.len() as u64);
            let segment = opened.map_err(|error| in_file(file, &error))?;
            Ok(show(&inspect(&segment), is_json))
        }
        ["verify", file] => {
            let object = read(file)?;
            let segment = verify(&object).map_err(|error| in_file(file, &error))?;
            Ok(if is_json { show(&inspect(&segment), true) } else { verified(file, &segment) })
        }
        _ => Err(Failure::Usage),
    }
}

fn read(file: &str) -> Result<Bytes, Failure> {
    std::fs::read(file).map(Bytes::from).map_err(|error| in_file(file, &error))
}

fn in_file(file: &str, error: &dyn std::error::Error) -> Failure {
    Failure::Command(format!("{file}: {error}"))
}

fn verified(file: &str, segment: &Segment) -> String {
    let totals = segment.totals();
    format!("{file}: good: {} rows of {} streams in {} chunks", totals.rows, totals.streams, totals.chunks)
}

fn show(inspection: &Inspection, is_json: bool) -> String {
    if is_json { format!("{:#}", as_json(inspection)) } else { as_text(inspection) }
}

fn as_text(inspection: &Inspection) -> String {
    let Inspection { provenance, totals, object_bytes, tail_bytes, sizes } = inspection;
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a string does not fail.
        writeln!(text, "{name:12} {value}").unwrap_or_default();
    };
    line("segment", provenance.id.to_string());
    line("uploader", provenance.uploader.to_string());
    line("merged from", format!("{} segments", provenance.inputs.len()));
    line("siblings", provenance.siblings.len().to_string());
    line("tombstones", provenance.tombstones.len().to_string());
    line("times", format!("{} to {}", totals.first_time, totals.last_time));
    line("rows", totals.rows.to_string());
    line("streams", totals.streams.to_string());
    line("chunks", totals.chunks.to_string());
    line("raw bytes", totals.raw_bytes.to_string());
    line("bytes", format!("{object_bytes}, of which the tail is {tail_bytes}"));
    for size in sizes {
        let name = size.section.map_or("unknown", |section| section.name());
        let share = 100.0 * size.bytes as f64 / (*object_bytes).max(1) as f64;
        let pages = if size.pages == 0 { String::new() } else { format!(" in {} pages", size.pages) };
        line("", format!("{name:14} {:>12} {share:>6.2} %{pages}", size.bytes));
    }
    text.truncate(text.trim_end().len());
    text
}

fn as_json(inspection: &Inspection) -> Value {
    let Inspection { provenance, totals, object_bytes, tail_bytes, sizes } = inspection;
    let texts = |ids: &mut dyn Iterator<Item = String>| ids.collect::<Vec<String>>();
    let mut sections = Vec::new();
    for size in sizes {
        let name = size.section.map_or("unknown", |section| section.name());
        sections.push(json!({ "name": name, "pages": size.pages, "bytes": size.bytes }));
    }
    json!({
        "segment": provenance.id.to_string(),
        "uploader": provenance.uploader.to_string(),
        "inputs": texts(&mut provenance.inputs.iter().map(ToString::to_string)),
        "siblings": texts(&mut provenance.siblings.iter().map(ToString::to_string)),
        "tombstones": texts(&mut provenance.tombstones.iter().map(ToString::to_string)),
        "first_time": totals.first_time.to_string(),
        "last_time": totals.last_time.to_string(),
        "rows": totals.rows,
        "streams": totals.streams,
        "chunks": totals.chunks,
        "raw_bytes": totals.raw_bytes,
        "bytes": object_bytes,
        "tail_bytes": tail_bytes,
        "sections": sections,
    })
}
