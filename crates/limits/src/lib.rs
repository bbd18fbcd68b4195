//! Per-tenant limits: defaults, overrides, and the arithmetic of rates.
//!
//! It reads no file and no clock; whoever calls brings text and time.
