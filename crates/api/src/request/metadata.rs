//! Reads that are about labels, sizes and patterns.

use larch_types::{ByteSize, Span, Timestamp};

use super::query::{limit, number_or, step};
use super::values::whole;
use super::{Bounds, Form, ParamError};

/// Labels, label values, statistics: some streams, some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectorRequest {
    /// LogQL; empty if there is none.
    pub query: String,
    pub bounds: Bounds,
}

/// `series`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesRequest {
    /// Selectors, each once. None stands for all streams.
    pub matches: Vec<String>,
    pub bounds: Bounds,
}

/// `index/volume` and `index/volume_range`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeRequest {
    pub query: String,
    pub bounds: Bounds,
    /// Series of the answer.
    pub limit: u32,
    /// Zero for one sum over the range.
    pub step: Span,
    pub target_labels: Vec<String>,
    pub aggregation: Aggregation,
}

/// What a volume is summed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregation {
    Series,
    LabelNames,
}

/// `patterns`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternsRequest {
    pub query: String,
    pub bounds: Bounds,
    pub step: Span,
}

/// `index/shards`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardsRequest {
    pub query: String,
    pub bounds: Bounds,
    pub target_bytes: ByteSize,
}

/// `detected_fields` and `detected_field/{name}/values`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectedFieldsRequest {
    pub query: String,
    pub bounds: Bounds,
    /// Rows that are looked at.
    pub line_limit: u32,
    /// Fields or values of the answer.
    pub limit: u32,
}

/// Fields of an answer to a request that does not say it.
const DEFAULT_FIELDS: i64 = 1000;
/// Series of an answer to a request for volumes that does not say it.
const DEFAULT_VOLUMES: u32 = 100;
/// Patterns are counted no finer.
const MIN_PATTERN_STEP: Span = Span::from_secs(10);

impl SelectorRequest {
    pub fn read(form: &Form, now: Timestamp) -> Result<Self, ParamError> {
        Ok(Self { query: form.get("query").to_owned(), bounds: Bounds::read(form, now)?.check()? })
    }
}

impl SeriesRequest {
    pub fn read(form: &Form, now: Timestamp) -> Result<Self, ParamError> {
        let bounds = Bounds::read(form, now)?.check()?;
        let mut matches: Vec<String> = Vec::new();
        for text in form.all("match").chain(form.all("match[]")) {
            if !matches.iter().any(|known| known == text) {
                matches.push(text.to_owned());
            }
        }
        // Alone it asks for everything; beside others it is a mistake that parsing finds.
        if matches == ["{}"] {
            matches.clear();
        }
        Ok(Self { matches, bounds })
    }
}

impl VolumeRequest {
    /// One sum over the range.
    pub fn read(form: &Form, now: Timestamp) -> Result<Self, ParamError> {
        let bounds = Bounds::read(form, now)?.check()?;
        let limit = match number_or(form.get("limit"), 0)? {
            0 => DEFAULT_VOLUMES,
            limit if limit < 0 => return Err(ParamError::LimitNotPositive),
            limit => u32::try_from(limit).map_err(|_| ParamError::LimitOutOfRange(limit))?,
        };
        let aggregation = match form.get("aggregateBy") {
            "" | "series" => Aggregation::Series,
            "labels" => Aggregation::LabelNames,
            _ => return Err(ParamError::Aggregation),
        };
        let target_labels = form.get("targetLabels").split(',').filter(|name| !name.is_empty());
        Ok(Self {
            query: form.get("query").to_owned(),
            bounds,
            limit,
            step: Span::ZERO,
            target_labels: target_labels.map(str::to_owned).collect(),
            aggregation,
        })
    }

    /// A sum for each step.
    pub fn read_range(form: &Form, now: Timestamp) -> Result<Self, ParamError> {
        let asked = Self::read(form, now)?;
        Ok(Self { step: step(form, asked.bounds)?, ..asked })
    }
}

impl PatternsRequest {
    pub fn read(form: &Form, now: Timestamp) -> Result<Self, ParamError> {
        let bounds = Bounds::read(form, now)?.check()?;
        let step = step(form, bounds)?.max(MIN_PATTERN_STEP);
        Ok(Self { query: form.get("query").to_owned(), bounds, step })
    }
}

impl ShardsRequest {
    pub fn read(form: &Form, now: Timestamp) -> Result<Self, ParamError> {
        let bounds = Bounds::read(form, now)?.check()?;
        let target = form.get("targetBytesPerShard").parse::<ByteSize>().ok();
        let target_bytes = target.filter(|size| size.as_u64() > 0).ok_or(ParamError::TargetBytes)?;
        Ok(Self { query: form.get("query").to_owned(), bounds, target_bytes })
    }
}

impl DetectedFieldsRequest {
    pub fn read(form: &Form, now: Timestamp) -> Result<Self, ParamError> {
        let bounds = Bounds::read(form, now)?.check()?;
        let line_limit = limit(form.get("line_limit"))?;
        let given = if form.get("limit").is_empty() { form.get("field_limit") } else { form.get("limit") };
        let fields = if given.is_empty() { DEFAULT_FIELDS } else { whole("Atoi", given)? };
        if fields <= 0 {
            return Err(ParamError::LimitNotPositive);
        }
        let limit = u32::try_from(fields).map_err(|_| ParamError::LimitOutOfRange(fields))?;
        step(form, bounds)?;
        Ok(Self { query: form.get("query").to_owned(), bounds, line_limit, limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_790_823_600);

    fn form(parameters: &str) -> Form {
        Form::parse(b"", parameters).unwrap()
    }

    #[test]
    fn series_take_both_names_of_their_parameter() {
        let matches = |parameters| SeriesRequest::read(&form(parameters), NOW).unwrap().matches;
        assert_eq!(matches(""), [""; 0]);
        assert_eq!(matches("match[]={}"), [""; 0]);
        assert_eq!(matches("match[]=a&match=b&match[]=a&match[]=c"), ["b", "a", "c"]);
        assert_eq!(matches("match={}&match[]=a"), ["{}", "a"]);
    }

    #[test]
    fn volumes() {
        let asked = VolumeRequest::read(&form("query={}&targetLabels=a,,b&step=x"), NOW).unwrap();
        assert_eq!((asked.limit, asked.step, asked.aggregation), (100, Span::ZERO, Aggregation::Series));
        assert_eq!(asked.target_labels, ["a", "b"]);
        let ranged = VolumeRequest::read_range(&form("limit=7&aggregateBy=labels"), NOW).unwrap();
        let step = Span::from_secs(14);
        assert_eq!((ranged.limit, ranged.step, ranged.aggregation), (7, step, Aggregation::LabelNames));
        for (parameters, text) in [
            ("limit=-1", "limit must be a positive value"),
            ("aggregateBy=x", "invalid aggregation option"),
            (
                "step=0",
                "zero or negative query resolution step widths are not accepted. Try a positive integer",
            ),
            ("start=2&end=1", "end timestamp must not be before or equal to start time"),
        ] {
            let error = VolumeRequest::read_range(&form(parameters), NOW).unwrap_err();
            assert_eq!(error.to_string(), text);
        }
        assert_eq!(VolumeRequest::read(&form("limit=0"), NOW).unwrap().limit, 100);
    }

    #[test]
    fn detected_fields() {
        let read = |parameters| DetectedFieldsRequest::read(&form(parameters), NOW);
        let limits = |parameters| read(parameters).map(|asked| (asked.line_limit, asked.limit)).unwrap();
        assert_eq!(limits(""), (100, 1000));
        assert_eq!(limits("field_limit=5&line_limit=7"), (7, 5));
        assert_eq!(limits("field_limit=5&limit=6"), (100, 6));
        for parameters in ["line_limit=0", "limit=0", "field_limit=-1"] {
            assert_eq!(read(parameters).unwrap_err(), ParamError::LimitNotPositive, "{parameters}");
        }
        assert_eq!(read("step=0").unwrap_err(), ParamError::StepNotPositive);
    }

    #[test]
    fn patterns_and_shards() {
        let step = |parameters| PatternsRequest::read(&form(parameters), NOW).unwrap().step;
        assert_eq!(step("step=1s"), Span::from_secs(10));
        assert_eq!(step("step=60"), Span::from_secs(60));
        let target = |parameters| ShardsRequest::read(&form(parameters), NOW).map(|asked| asked.target_bytes);
        assert_eq!(target("targetBytesPerShard=600MB"), Ok(ByteSize::mib(600)));
        for parameters in ["", "targetBytesPerShard=0", "targetBytesPerShard=x"] {
            assert_eq!(target(parameters), Err(ParamError::TargetBytes), "{parameters}");
        }
    }
}
