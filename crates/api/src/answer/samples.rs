//! Answers to metric queries.

use larch_logql::{LabelSet, MetricAnswer};
use larch_types::Timestamp;

use super::Statistics;
use super::label_text::object;
use super::lists::string_array;
use super::numbers::{sample_value, seconds};
use super::statistics::{Fractions, statistics};
use super::strings::Escaping;

/// The answer of `query_range` and `query`; `time` is that of an instant query.
pub fn metric(answer: &MetricAnswer, time: Timestamp, stats: &Statistics, warnings: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(b"{\"status\":\"success\",\"data\":{\"resultType\":\"");
    match answer {
        MetricAnswer::Matrix(series) => {
            out.extend_from_slice(b"matrix\",\"result\":[");
            for (index, series) in series.iter().enumerate() {
                begin(&mut out, index, &series.labels);
                out.extend_from_slice(b",\"values\":[");
                for (index, (time, value)) in series.points.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    point(&mut out, *time, *value);
                }
                out.extend_from_slice(b"]}");
            }
            out.push(b']');
        }
        MetricAnswer::Vector(samples) => {
            out.extend_from_slice(b"vector\",\"result\":[");
            for (index, sample) in samples.iter().enumerate() {
                begin(&mut out, index, &sample.labels);
                out.extend_from_slice(b",\"value\":");
                point(&mut out, time, sample.value);
                out.push(b'}');
            }
            out.push(b']');
        }
        MetricAnswer::Scalar(value) => {
            out.extend_from_slice(b"scalar\",\"result\":");
            point(&mut out, time, *value);
        }
    }
    out.extend_from_slice(b",\"stats\":");
    statistics(&mut out, stats, Fractions::Shortest);
    out.push(b'}');
    if !warnings.is_empty() {
        out.extend_from_slice(b",\"warnings\":");
        string_array(&mut out, warnings);
    }
    out.push(b'}');
    out
}

fn begin(out: &mut Vec<u8>, index: usize, labels: &LabelSet) {
    out.extend_from_slice(if index == 0 { b"{\"metric\":" } else { b",{\"metric\":" });
    object(out, labels.iter().map(|label| (&*label.name, &*label.value)), Escaping::Html);
}

fn point(out: &mut Vec<u8>, time: Timestamp, value: f64) {
    out.push(b'[');
    seconds(out, time);
    out.extend_from_slice(b",\"");
    out.extend_from_slice(sample_value(value).as_bytes());
    out.extend_from_slice(b"\"]");
}
