//! The recorded rows, as they are after a push.

use larch_logql::{InputRow, LevelDetector, normalized_name, readable_value, service_name};
use larch_types::{Labels, PushStamp, RowOrder, StreamId, Timestamp};
use serde_json::Value;

use crate::text;

const DATASET: &str = include_str!("../../../../tests/conformance/dataset.jsonl");

/// Where the name of a service is looked for, by default.
const SERVICE_CANDIDATES: [&str; 13] = [
    "service",
    "app",
    "application",
    "app_name",
    "name",
    "app_kubernetes_io_name",
    "container",
    "container_name",
    "k8s_container_name",
    "component",
    "workload",
    "job",
    "k8s_job_name",
];

/// Where a level is looked for, by default.
const LEVEL_FIELDS: [&str; 14] = [
    "level",
    "LEVEL",
    "Level",
    "log.level",
    "severity",
    "SEVERITY",
    "Severity",
    "SeverityText",
    "lvl",
    "LVL",
    "Lvl",
    "severity_text",
    "Severity_Text",
    "SEVERITY_TEXT",
];

const LEVEL_JSON_DEPTH: i64 = 2;

pub(crate) struct Dataset {
    rows: Vec<Row>,
}

struct Row {
    tenant: String,
    stream: StreamId,
    labels: Labels,
    order: RowOrder,
    line: String,
    metadata: Vec<(String, String)>,
    level: String,
}

impl Dataset {
    /// Every line of the file is one push of one stream.
    pub(crate) fn load() -> Self {
        let detector = LevelDetector::new(&LEVEL_FIELDS, LEVEL_JSON_DEPTH);
        let mut rows = Vec::new();
        for (push, line) in DATASET.lines().enumerate() {
            let batch: Value = serde_json::from_str(line).expect(line);
            let labels = stream_labels(&batch["stream"]);
            for (index, value) in batch["values"].as_array().expect(line).iter().enumerate() {
                let timestamp = Timestamp::from_nanos(value[0].as_str().expect(line).parse().expect(line));
                let metadata = metadata(&value[2]);
                let line = value[1].as_str().expect(line).to_owned();
                let given =
                    |name: &str| metadata.iter().find(|(known, _)| known == name).map(|(_, v)| v.as_str());
                let level = detector.of_row(detector.of_stream(&labels), given, line.as_bytes()).to_owned();
                rows.push(Row {
                    tenant: text(&batch, "tenant").to_owned(),
                    stream: StreamId::of(&labels),
                    labels: labels.clone(),
                    order: RowOrder { timestamp, stamp: PushStamp(push as u128), index: index as u32 },
                    line,
                    metadata,
                    level,
                });
            }
        }
        Self { rows }
    }

    /// Calls with the rows of one tenant.
    pub(crate) fn with_tenant<T>(&self, tenant: &str, call: impl FnOnce(&[InputRow<'_>]) -> T) -> T {
        let of_tenant = || self.rows.iter().filter(|row| row.tenant == tenant);
        let mut metadata: Vec<Vec<(&str, &str)>> = Vec::new();
        for row in of_tenant() {
            metadata.push(row.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect());
        }
        let mut rows = Vec::with_capacity(metadata.len());
        for (row, metadata) in of_tenant().zip(&metadata) {
            rows.push(InputRow {
                stream: row.stream,
                labels: &row.labels,
                order: row.order,
                line: row.line.as_bytes(),
                metadata,
                level: Some(&row.level),
            });
        }
        call(&rows)
    }
}

fn stream_labels(stream: &Value) -> Labels {
    let pairs = stream.as_object().expect("labels").iter();
    let mut pairs: Vec<(&str, &str)> =
        pairs.map(|(name, value)| (name.as_str(), value.as_str().expect("a label"))).collect();
    let given = Labels::from_pairs(pairs.iter().copied()).expect("labels");
    pairs.extend(service_name(&given, &SERVICE_CANDIDATES).map(|name| ("service_name", name)));
    Labels::from_pairs(pairs).expect("labels")
}

fn metadata(pairs: &Value) -> Vec<(String, String)> {
    let mut metadata = Vec::new();
    for (name, value) in pairs.as_object().expect("metadata") {
        let name = normalized_name(name).expect("a name").into_owned();
        let value = readable_value(value.as_str().expect("a value").as_bytes());
        metadata.push((name, value.into_owned()));
    }
    metadata
}
