//! Who pushed how much: for who pays for it. Counted since the process began, as counters are; whoever
//! bills takes the difference of two readings.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use larch_telemetry::{Counter, Family, Registry, Spec};
use larch_types::{Labels, TenantId};
use serde_json::{Value as Json, json};

use crate::metrics::{Reason, Volume};

/// A value of a label by which a tenant's rows are counted: the label and the value, which is empty where a
/// stream has no such label.
pub(crate) type Tracked = (String, String);

/// What all tenants have pushed.
pub(crate) struct UsageBook {
    tenants: Mutex<BTreeMap<TenantId, Usage>>,
    bytes: Family<Counter, 3>,
    lines: Family<Counter, 3>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    accepted: Volume,
    discarded: BTreeMap<&'static str, Volume>,
    /// By label, then by value.
    tracked: BTreeMap<String, BTreeMap<String, Volume>>,
}

/// Tenants beyond these are counted together under [`OTHERS`], and so are values of a label.
const MAX_TENANTS: usize = 10_000;
const MAX_VALUES: usize = 1_000;
/// No label has such a value by itself: it would have to be pushed so.
const OTHERS: &str = "(others)";
/// Longer values are cut: they are for people who pay.
const MAX_VALUE_BYTES: usize = 256;

const BYTES: Spec<3> = Spec {
    name: "larch_usage_bytes_total",
    help: "Bytes of accepted lines and structured metadata, by the labels that the tenant names in usage_labels.",
    labels: ["tenant", "label", "value"],
};
const LINES: Spec<3> = Spec {
    name: "larch_usage_lines_total",
    help: "Accepted lines, by the labels that the tenant names in usage_labels.",
    labels: ["tenant", "label", "value"],
};

/// The values of a stream by which its rows are counted.
pub(crate) fn tracked(names: &[String], labels: &Labels) -> Vec<Tracked> {
    let value = |name: &String| {
        let value = labels.get(name).unwrap_or_default();
        (name.clone(), value[..value.floor_char_boundary(MAX_VALUE_BYTES)].to_owned())
    };
    names.iter().map(value).collect()
}

impl UsageBook {
    pub(crate) fn new(metrics: &Registry) -> Self {
        Self { tenants: Mutex::default(), bytes: metrics.counter(BYTES), lines: metrics.counter(LINES) }
    }

    /// Counts rows that ingesters have.
    pub(crate) fn accepted(&self, tenant: &TenantId, volume: Volume, tracked: &[Tracked]) {
        self.change(tenant, |usage| {
            usage.accepted.add(volume);
            for (label, value) in tracked {
                let values = usage.tracked.entry(label.clone()).or_default();
                let known = values.contains_key(value) || values.len() < MAX_VALUES;
                let value = if known { value.as_str() } else { OTHERS };
                values.entry(value.to_owned()).or_default().add(volume);
                let labels = [tenant.as_str(), label.as_str(), value];
                self.bytes.with(labels).add(volume.bytes());
                self.lines.with(labels).add(volume.rows);
            }
        });
    }

    pub(crate) fn discarded(&self, tenant: &TenantId, reason: Reason, volume: Volume) {
        self.change(tenant, |usage| usage.discarded.entry(reason.label()).or_default().add(volume));
    }

    fn change(&self, tenant: &TenantId, change: impl FnOnce(&mut Usage)) {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if tenants.contains_key(tenant) || tenants.len() < MAX_TENANTS {
            change(tenants.entry(tenant.clone()).or_default());
        }
    }

    /// What a tenant may see of itself.
    pub(crate) fn of_tenant(&self, tenant: &TenantId) -> Json {
        let tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let usage = tenants.get(tenant).cloned().unwrap_or_default();
        let mut shown = totals(tenant, &usage);
        let values = |values: BTreeMap<String, Volume>| -> Json {
            values.into_iter().map(|(value, volume)| (value, numbers(volume))).collect()
        };
        let labels: Json =
            usage.tracked.into_iter().map(|(label, by_value)| (label, values(by_value))).collect();
        if let Some(fields) = shown.as_object_mut() {
            fields.insert("labels".to_owned(), labels);
        }
        shown
    }

    /// The totals of all tenants, without what their labels say.
    pub(crate) fn of_all(&self) -> Json {
        let tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.iter().map(|(tenant, usage)| totals(tenant, usage)).collect()
    }
}

fn totals(tenant: &TenantId, usage: &Usage) -> Json {
    let discarded: Json =
        usage.discarded.iter().map(|(reason, volume)| ((*reason).to_owned(), numbers(*volume))).collect();
    json!({ "tenant": tenant.as_str(), "accepted": numbers(usage.accepted), "discarded": discarded })
}

fn numbers(volume: Volume) -> Json {
    let Volume { rows, line_bytes, metadata_bytes } = volume;
    json!({ "lines": rows, "lineBytes": line_bytes, "metadataBytes": metadata_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: Volume = Volume { rows: 1, line_bytes: 10, metadata_bytes: 2 };

    #[test]
    fn tenants_labels_and_reasons() {
        let metrics = Registry::default();
        let book = UsageBook::new(&metrics);
        let (tenant, other): (TenantId, TenantId) = ("t".parse().unwrap(), "u".parse().unwrap());
        let labels = Labels::from_pairs([("team", "red"), ("app", "a")]).unwrap();
        let names = ["team".to_owned(), "env".to_owned()];
        let tracked = tracked(&names, &labels);
        assert_eq!(tracked, [("team".to_owned(), "red".to_owned()), ("env".to_owned(), String::new())]);
        book.accepted(&tenant, ROW, &tracked);
        book.accepted(&tenant, ROW, &tracked);
        book.discarded(&tenant, Reason::TooOld, ROW);
        book.accepted(&other, ROW, &[]);
        let one = json!({ "lines": 1, "lineBytes": 10, "metadataBytes": 2 });
        let two = json!({ "lines": 2, "lineBytes": 20, "metadataBytes": 4 });
        let discarded = json!({ "greater_than_max_sample_age": one.clone() });
        assert_eq!(
            book.of_tenant(&tenant),
            json!({
                "tenant": "t",
                "accepted": two.clone(),
                "discarded": discarded.clone(),
                "labels": { "team": { "red": two.clone() }, "env": { "": two.clone() } },
            })
        );
        assert_eq!(
            book.of_all(),
            json!([
                { "tenant": "t", "accepted": two, "discarded": discarded },
                { "tenant": "u", "accepted": one, "discarded": {} },
            ])
        );
        let nobody = book.of_tenant(&"nobody".parse().unwrap());
        assert_eq!(nobody["accepted"]["lines"], 0);
        let text = metrics.encode(larch_telemetry::Format::Prometheus);
        assert!(
            text.contains(r#"larch_usage_bytes_total{tenant="t",label="team",value="red"} 24"#),
            "{text}"
        );
    }

    #[test]
    fn values_are_bounded() {
        let book = UsageBook::new(&Registry::default());
        let tenant: TenantId = "t".parse().unwrap();
        for number in 0..MAX_VALUES + 5 {
            book.accepted(&tenant, ROW, &[("id".to_owned(), number.to_string())]);
        }
        book.accepted(&tenant, ROW, &[("id".to_owned(), "0".to_owned())]);
        let usage = book.of_tenant(&tenant);
        let values = usage["labels"]["id"].as_object().unwrap();
        assert_eq!(values.len(), MAX_VALUES + 1);
        assert_eq!(values[OTHERS]["lines"], 5);
        assert_eq!(values["0"]["lines"], 2);
        let long = Labels::from_pairs([("id", "ä".repeat(300).as_str())]).unwrap();
        assert_eq!(tracked(&["id".to_owned()], &long)[0].1.len(), MAX_VALUE_BYTES);
    }
}
