//! Questions about labels.

use crate::check::missing;
use crate::{InvalidMessage, wire};

/// What to tell of the streams that are selected.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LabelsQuery {
    /// The names of their labels.
    Names,
    /// The values of one name.
    Values(String),
    /// Their canonical label texts.
    Series,
}

/// Some of the texts that answer: sorted over the whole answer, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextBatch {
    pub texts: Vec<String>,
}

// === conversions ===

impl From<LabelsQuery> for wire::types::LabelsQuery {
    fn from(query: LabelsQuery) -> Self {
        use wire::types::LabelQuestion as Wire;
        let (question, name) = match query {
            LabelsQuery::Names => (Wire::Names, String::new()),
            LabelsQuery::Values(name) => (Wire::Values, name),
            LabelsQuery::Series => (Wire::Series, String::new()),
        };
        Self { question: question.into(), name }
    }
}

impl TryFrom<wire::types::LabelsQuery> for LabelsQuery {
    type Error = InvalidMessage;

    fn try_from(query: wire::types::LabelsQuery) -> Result<Self, InvalidMessage> {
        use wire::types::LabelQuestion as Wire;
        match Wire::try_from(query.question) {
            Ok(Wire::Names) => Ok(Self::Names),
            Ok(Wire::Values) if query.name.is_empty() => Err(InvalidMessage::new("name", "empty")),
            Ok(Wire::Values) => Ok(Self::Values(query.name)),
            Ok(Wire::Series) => Ok(Self::Series),
            Ok(Wire::Unspecified) | Err(_) => Err(missing("question")),
        }
    }
}

impl From<TextBatch> for wire::types::TextBatch {
    fn from(batch: TextBatch) -> Self {
        Self { texts: batch.texts }
    }
}

impl From<wire::types::TextBatch> for TextBatch {
    fn from(batch: wire::types::TextBatch) -> Self {
        Self { texts: batch.texts }
    }
}
