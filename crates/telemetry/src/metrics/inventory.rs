//! The inventory as people and tools read it.

use serde_json::json;

use super::spec::MetricInfo;

/// One metric a line, in columns.
pub fn inventory_table(metrics: &[MetricInfo]) -> String {
    let mut rows = vec![["NAME", "KIND", "LABELS", "HELP"].map(str::to_owned)];
    for metric in metrics {
        let labels = if metric.labels.is_empty() { "-".to_owned() } else { metric.labels.join(",") };
        rows.push([metric.name.clone(), metric.kind.as_str().to_owned(), labels, metric.help.to_owned()]);
    }
    let mut widths = [0; 3];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len());
        }
    }
    let [name_width, kind_width, labels_width] = widths;
    let mut out = String::new();
    for [name, kind, labels, help] in rows {
        out.push_str(&format!("{name:name_width$}  {kind:kind_width$}  {labels:labels_width$}  {help}\n"));
    }
    out
}

/// An array with one object a metric.
pub fn inventory_json(metrics: &[MetricInfo]) -> String {
    let mut list = Vec::with_capacity(metrics.len());
    for metric in metrics {
        list.push(json!({
            "name": metric.name,
            "kind": metric.kind.as_str(),
            "labels": metric.labels,
            "help": metric.help,
        }));
    }
    let mut out = format!("{:#}", serde_json::Value::Array(list));
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::metrics::MetricKind;

    fn metrics() -> Vec<MetricInfo> {
        let info = |name: &str, kind, labels: &[&'static str], help| MetricInfo {
            name: name.to_owned(),
            kind,
            labels: labels.to_vec(),
            help,
        };
        vec![
            info("loki_panic_total", MetricKind::Counter, &[], "Panics that were caught."),
            info("loki_x", MetricKind::Histogram, &["tenant", "reason"], "Some \u{e4}."),
        ]
    }

    #[test]
    fn columns() {
        expect![[r#"
            NAME              KIND       LABELS         HELP
            loki_panic_total  counter    -              Panics that were caught.
            loki_x            histogram  tenant,reason  Some ä.
        "#]]
        .assert_eq(&inventory_table(&metrics()));
    }

    #[test]
    fn objects() {
        expect![[r#"
            [
              {
                "name": "loki_panic_total",
                "kind": "counter",
                "labels": [],
                "help": "Panics that were caught."
              },
              {
                "name": "loki_x",
                "kind": "histogram",
                "labels": [
                  "tenant",
                  "reason"
                ],
                "help": "Some ä."
              }
            ]
        "#]]
        .assert_eq(&inventory_json(&metrics()));
    }
}
