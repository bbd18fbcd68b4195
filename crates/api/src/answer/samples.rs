//! Answers to metric queries.

use std::sync::Arc;

use larch_logql::{LabelSet, MetricAnswer};
use larch_types::Timestamp;

use super::Statistics;
use super::label_text::object;
use super::lists::string_array;
use super::numbers::{sample_value, seconds};
use super::pieces::{Frame, Grouped, Pieces};
use super::statistics::{Fractions, statistics};
use super::strings::Escaping;

/// The answer of `query_range` and `query`; `time` is that of an instant query.
pub fn metric(answer: MetricAnswer, time: Timestamp, stats: &Statistics, warnings: &[String]) -> Pieces {
    match answer {
        MetricAnswer::Matrix(series) => {
            let series = series.into_iter().map(|series| (series.labels, series.points)).collect();
            Pieces::groups(frame("matrix\",\"result\":[", "]", stats, warnings), series, Matrix)
        }
        MetricAnswer::Vector(samples) => {
            let frame = frame("vector\",\"result\":[", "]", stats, warnings);
            Pieces::list(frame, samples, move |out, sample| {
                begin(out, &sample.labels);
                out.extend_from_slice(b",\"value\":");
                point(out, time, sample.value);
                out.push(b'}');
            })
        }
        MetricAnswer::Scalar(value) => {
            let frame = frame("scalar\",\"result\":", "", stats, warnings);
            Pieces::list(frame, vec![value], move |out, value| point(out, time, value))
        }
    }
}

fn frame(begin: &str, end: &str, stats: &Statistics, warnings: &[String]) -> Frame {
    let begin = format!("{{\"status\":\"success\",\"data\":{{\"resultType\":\"{begin}").into_bytes();
    let mut end = end.as_bytes().to_vec();
    end.extend_from_slice(b",\"stats\":");
    statistics(&mut end, stats, Fractions::Shortest);
    end.push(b'}');
    if !warnings.is_empty() {
        end.extend_from_slice(b",\"warnings\":");
        string_array(&mut end, warnings);
    }
    end.push(b'}');
    Frame { begin, end }
}

struct Matrix;

impl Grouped for Matrix {
    type Head = Arc<LabelSet>;
    type Item = (Timestamp, f64);

    fn head(&self, out: &mut Vec<u8>, labels: &Arc<LabelSet>) {
        begin(out, labels);
        out.extend_from_slice(b",\"values\":[");
    }

    fn item(&self, out: &mut Vec<u8>, (time, value): (Timestamp, f64)) {
        point(out, time, value);
    }
}

fn begin(out: &mut Vec<u8>, labels: &LabelSet) {
    out.extend_from_slice(b"{\"metric\":");
    object(out, labels.iter().map(|label| (&*label.name, &*label.value)), Escaping::Html);
}

fn point(out: &mut Vec<u8>, time: Timestamp, value: f64) {
    out.push(b'[');
    seconds(out, time);
    out.extend_from_slice(b",\"");
    out.extend_from_slice(sample_value(value).as_bytes());
    out.extend_from_slice(b"\"]");
}
