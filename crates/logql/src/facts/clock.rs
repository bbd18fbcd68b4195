//! Whether the time of asking is part of a query.

use super::scans;
use crate::ast::{Expr, FormatValue, Stage};

/// Whether the answer may be another one when the same query is asked again later. A template that only has
/// the word in it is taken for one that calls the function.
pub fn reads_clock(expr: &Expr) -> bool {
    let mentions = |template: &str| template.contains("now");
    scans(expr).iter().flat_map(|scan| scan.pipeline).any(|stage| match stage {
        Stage::LineFormat(template) => mentions(template),
        Stage::LabelFormat(formats) => formats
            .iter()
            .any(|format| matches!(&format.value, FormatValue::Template(template) if mentions(template))),
        _ => false,
    })
}
