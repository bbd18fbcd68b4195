//! LogQL: text to tree and back, its checks, and the exact meaning of every stage and operator as
//! plain functions over rows.
//!
//! It does no IO and does not know where logs are kept: no runtime, no clock, no storage.

mod discover;
mod regex;
mod stage;

pub use discover::{InvalidName, LevelDetector, fuzz_level, normalized_name, readable_value, service_name};
pub use regex::{
    AnyOf, Flavor, LabelMatcher, Needle, Regex, RegexError, RegexFault, Required, compile_for_template,
    fuzz_regex,
};
pub use stage::{
    Category, Comparison, Conversion, Decolorize, DropLabels, ErrorName, Hints, InvalidPath, IpPattern, Json,
    JsonPath, JsonPaths, KeepLabels, LabelFilter, LabelFormat, LabelFormatItem, LabelRef, LineFilter,
    LineFilterOp, LineFormat, LineOperand, Logfmt, LogfmtFlags, LogfmtKeys, Pattern, PatternPart, Pipeline,
    Quantity, Regexp, Row, RowLabels, Selected, Stage, StageError, Unpack, Unwrap, fuzz_stages,
};
