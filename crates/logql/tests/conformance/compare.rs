//! Whether an evaluation agrees with a recorded answer.

use larch_testkit::recorded::{data_difference, error_difference};
use serde_json::Value;

/// None if they agree.
pub(crate) fn difference(case: &Value, found: &Result<Value, String>) -> Option<String> {
    let want = &case["expect"];
    let body = &want["body"];
    match (want["status"].as_i64() == Some(200), found) {
        (true, Err(error)) => Some(format!("refused: {error}")),
        (false, Ok(_)) => Some(format!("answered, wanted {body}")),
        (false, Err(error)) => {
            let wanted = body.as_str().or_else(|| body["error"].as_str()).unwrap_or_default();
            error_difference(error, wanted)
        }
        (true, Ok(data)) => data_difference(case, data, &body["data"]),
    }
}
