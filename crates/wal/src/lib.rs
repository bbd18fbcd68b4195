//! A durable sequence of opaque records in a directory.
//!
//! It does not know what a log line is. All file access goes through [`Dir`], which has a hostile twin
//! in the test kit.
