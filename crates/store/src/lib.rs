//! Object storage, the catalog and caches: put, find, fetch.
//!
//! It owns object keys and the order of uploads; it does not evaluate queries.
