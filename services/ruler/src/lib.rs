//! The ruler: evaluates alerting and recording rules.
