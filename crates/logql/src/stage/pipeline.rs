//! The stages of a query one after the other.

use crate::stage::{
    Decolorize, DropLabels, Json, JsonPaths, KeepLabels, LabelFilter, LabelFormat, LineFilter, LineFormat,
    Logfmt, LogfmtKeys, Pattern, Regexp, Row, Unpack,
};

#[derive(Debug)]
pub enum Stage {
    LineFilter(LineFilter),
    Json(Json),
    JsonPaths(JsonPaths),
    Logfmt(Logfmt),
    LogfmtKeys(LogfmtKeys),
    Pattern(Pattern),
    Regexp(Box<Regexp>),
    Unpack(Unpack),
    LabelFilter(LabelFilter),
    LineFormat(LineFormat),
    LabelFormat(LabelFormat),
    Decolorize(Decolorize),
    Drop(DropLabels),
    Keep(KeepLabels),
}

impl Stage {
    /// Whether the row stays.
    pub fn run(&self, row: &mut Row<'_>) -> bool {
        match self {
            Self::LineFilter(stage) => return stage.run(row),
            Self::LabelFilter(stage) => return stage.run(row),
            Self::Json(stage) => stage.run(row),
            Self::JsonPaths(stage) => stage.run(row),
            Self::Logfmt(stage) => stage.run(row),
            Self::LogfmtKeys(stage) => stage.run(row),
            Self::Pattern(stage) => stage.run(row),
            Self::Regexp(stage) => stage.run(row),
            Self::Unpack(stage) => stage.run(row),
            Self::LineFormat(stage) => stage.run(row),
            Self::LabelFormat(stage) => stage.run(row),
            Self::Decolorize(stage) => stage.run(row),
            Self::Drop(stage) => stage.run(row),
            Self::Keep(stage) => stage.run(row),
        }
        true
    }

    /// A line filter may run before it: it does not change the line and lets no row out.
    fn lets_line_filters_pass(&self) -> bool {
        match self {
            Self::Json(_)
            | Self::JsonPaths(_)
            | Self::Logfmt(_)
            | Self::LogfmtKeys(_)
            | Self::Pattern(_)
            | Self::Regexp(_)
            | Self::LabelFormat(_)
            | Self::Drop(_)
            | Self::Keep(_) => true,
            Self::LineFilter(_)
            | Self::LabelFilter(_)
            | Self::LineFormat(_)
            | Self::Unpack(_)
            | Self::Decolorize(_) => false,
        }
    }
}

#[derive(Debug, Default)]
pub struct Pipeline {
    stages: Vec<Stage>,
}

impl Pipeline {
    /// The stages as they are written. Line filters run as early as that changes nothing: parsers cost far
    /// more than they do.
    pub fn new(stages: Vec<Stage>) -> Self {
        let mut ordered: Vec<Stage> = Vec::with_capacity(stages.len());
        for stage in stages {
            let mut at = ordered.len();
            if let Stage::LineFilter(_) = stage {
                while at > 0 && ordered[at - 1].lets_line_filters_pass() {
                    at -= 1;
                }
            }
            ordered.insert(at, stage);
        }
        Self { stages: ordered }
    }

    /// Whether the row stays.
    pub fn run(&self, row: &mut Row<'_>) -> bool {
        self.stages.iter().all(|stage| stage.run(row))
    }

    /// In the order in which they run.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }
}
