//! The querier: runs pieces of queries over ingesters and segments.
