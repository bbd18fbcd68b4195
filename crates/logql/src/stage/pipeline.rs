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
}

#[derive(Debug, Default)]
pub struct Pipeline {
    stages: Vec<Stage>,
}

impl Pipeline {
    /// The stages in the order in which they run.
    pub fn new(stages: Vec<Stage>) -> Self {
        Self { stages }
    }

    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// Whether the row stays.
    pub fn run(&self, row: &mut Row<'_>) -> bool {
        self.stages.iter().all(|stage| stage.run(row))
    }
}
