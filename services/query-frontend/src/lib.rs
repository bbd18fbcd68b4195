//! The query-frontend: the query API: splits, queues fairly, caches, joins.
