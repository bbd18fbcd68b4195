//! The ingester: makes pushes durable, serves recent rows, cuts and uploads segments.
