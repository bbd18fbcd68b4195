//! Answers in the shapes that clients see.

use larch_logql::{
    EvalLimits, Expr, InputRow, LabelSet, LogEvaluation, LogRow, MetricAnswer, MetricEvaluation, StreamKey,
    check_stages, group_rows, parse,
};
use larch_types::{ByteSize, Timestamp};
use serde_json::{Map, Value, json};

use crate::request::Request;

const LIMITS: EvalLimits = EvalLimits { max_series: 500, max_range: None, max_memory: ByteSize::mib(256) };

/// The data of an answer, or the text of an error.
pub(crate) fn answer<'r>(
    request: &Request,
    rows: impl Iterator<Item = InputRow<'r>>,
) -> Result<Value, String> {
    let expr = parse(&request.query).map_err(|error| error.to_string())?;
    check_stages(&expr).map_err(|error| error.to_string())?;
    match expr {
        Expr::Log(log) => {
            let mut evaluation =
                LogEvaluation::new(&log, request.logs, &LIMITS).map_err(|error| error.to_string())?;
            evaluation.add(rows).map_err(|error| error.to_string())?;
            Ok(streams(evaluation.finish(), request))
        }
        Expr::Metric(metric) => {
            let now = request.logs.now;
            let mut evaluation = MetricEvaluation::new(&metric, request.steps, now, &LIMITS)
                .map_err(|error| error.to_string())?;
            evaluation.add(rows).map_err(|error| error.to_string())?;
            let answer = evaluation.finish().map_err(|error| error.to_string())?;
            Ok(numbers(answer, request))
        }
    }
}

fn streams(rows: Vec<LogRow>, request: &Request) -> Value {
    let mut result = Vec::new();
    for stream in group_rows(rows, request.key) {
        let values: Vec<Value> = stream.rows.iter().map(|row| entry(row, request.key)).collect();
        result.push(json!({"stream": labels(&stream.labels), "values": values}));
    }
    let mut data = Map::new();
    data.insert("resultType".into(), "streams".into());
    if let Some(flags) = &request.flags {
        data.insert("encodingFlags".into(), flags.split(',').collect());
    }
    data.insert("result".into(), result.into());
    data.into()
}

fn entry(row: &LogRow, key: StreamKey) -> Value {
    let time = row.timestamp.nanos().to_string();
    let line = String::from_utf8_lossy(&row.line);
    if key == StreamKey::AllLabels {
        return json!([time, line]);
    }
    let mut categories = Map::new();
    for (name, set) in [("structuredMetadata", &row.labels.metadata), ("parsed", &row.labels.parsed)] {
        if !set.is_empty() {
            categories.insert(name.into(), labels(set));
        }
    }
    json!([time, line, categories])
}

fn numbers(answer: MetricAnswer, request: &Request) -> Value {
    let time = seconds(request.steps.start());
    match answer {
        MetricAnswer::Scalar(value) => json!({"resultType": "scalar", "result": [time, number(value)]}),
        MetricAnswer::Vector(samples) => {
            let mut result = Vec::new();
            for sample in samples {
                result.push(json!({"metric": labels(&sample.labels), "value": [time, number(sample.value)]}));
            }
            json!({"resultType": "vector", "result": result})
        }
        MetricAnswer::Matrix(series) => {
            let mut result = Vec::new();
            for series in series {
                let point = |(time, value): &(Timestamp, f64)| json!([seconds(*time), number(*value)]);
                let values: Vec<Value> = series.points.iter().map(point).collect();
                result.push(json!({"metric": labels(&series.labels), "values": values}));
            }
            json!({"resultType": "matrix", "result": result})
        }
    }
}

fn labels(set: &LabelSet) -> Value {
    let mut object = Map::new();
    for label in set {
        object.insert(label.name.to_string(), label.value.to_string().into());
    }
    object.into()
}

/// Whole seconds without a fraction.
fn seconds(time: Timestamp) -> Value {
    let millis = time.millis();
    if millis % 1000 == 0 { json!(millis / 1000) } else { json!(millis as f64 / 1000.0) }
}

fn number(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    value.to_string()
}
