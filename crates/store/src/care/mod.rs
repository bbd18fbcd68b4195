//! Looking after what is stored: what there is, whether it is whole, and how a catalog that was lost is made
//! again. Nothing here deletes, but for facts that cannot be read and are kept under another name.

mod check;
mod mend;
mod pins;
mod rebuild;
mod repeated;
mod survey;

pub use check::{Checked, Finding, Problem, check_tenant};
pub use pins::{MAX_PIN, list_pins, pin, sort_pins, unpin};
pub use rebuild::{Rebuilt, rebuild_tenant};
pub use repeated::is_repeated;
pub use survey::{CLOCK_PROBE, CareError, Survey, TenantSurvey, partitions_of, survey, survey_tenant};
