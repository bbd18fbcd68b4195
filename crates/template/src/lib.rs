//! Go's template language as LogQL uses it in `line_format` and `label_format`.
//!
//! It knows nothing of logs: a template sees named values and gives text. Output and depth are bounded.
