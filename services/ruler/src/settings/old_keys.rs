//! Keys of other versions in the ruler's blocks.

use larch_types::OldKey;

const BUFFERS: &str = "buffers look after themselves";
const CLUSTER: &str = "memberlist.cluster_label keeps clusters apart";
const COLONS: &str = "keys of objects hold no colons";
const ENDPOINT: &str = "set endpoint to one that has the protocol you need";
const PROTOCOL: &str = "the client speaks what the store offers";
const RATE: &str = "the bounds are on the side of the server";
const RINGS: &str = "the members of a ring are shared through memberlist";
const TLS: &str = "TLS is always spoken in version 1.2 or above, with safe cipher suites";

pub(super) const RULER: &[OldKey] = &[
    OldKey::moved("remote_write.client", "ruler.remote_write.clients.default"),
    OldKey::meaningless("search_pending_for", "a ruler that stops hands nothing over"),
    OldKey::meaningless("flush_period", "rules are kept in the store alone"),
    OldKey::meaningless("ring.kvstore.prefix", RINGS),
    OldKey::meaningless("ring.kvstore.consul", RINGS),
    OldKey::meaningless("ring.kvstore.etcd", RINGS),
    OldKey::meaningless("ring.kvstore.multi", RINGS),
    OldKey::meaningless("ruler_client.rate_limit", RATE),
    OldKey::meaningless("ruler_client.rate_limit_burst", RATE),
    OldKey::meaningless("ruler_client.backoff_on_ratelimits", RATE),
    OldKey::meaningless("ruler_client.tls_cipher_suites", TLS),
    OldKey::meaningless("ruler_client.cluster_validation", CLUSTER),
    OldKey::meaningless("evaluation.query_frontend.rate_limit", RATE),
    OldKey::meaningless("evaluation.query_frontend.rate_limit_burst", RATE),
    OldKey::meaningless("evaluation.query_frontend.backoff_on_ratelimits", RATE),
    OldKey::meaningless("evaluation.query_frontend.tls_cipher_suites", TLS),
    OldKey::meaningless("evaluation.query_frontend.cluster_validation", CLUSTER),
    OldKey::meaningless("alertmanager_client.tls_cipher_suites", TLS),
    OldKey::meaningless("alertmanager_client.tls_min_version", TLS),
    OldKey::meaningless("storage.s3.chunk_delimiter", COLONS),
    OldKey::meaningless("storage.s3.disable_dualstack", ENDPOINT),
    OldKey::meaningless("storage.gcs.chunk_buffer_size", BUFFERS),
    OldKey::meaningless("storage.gcs.enable_opencensus", "there are own metrics and traces"),
    OldKey::meaningless("storage.gcs.enable_http2", PROTOCOL),
    OldKey::meaningless("storage.azure.chunk_delimiter", COLONS),
    OldKey::meaningless("storage.azure.download_buffer_size", BUFFERS),
    OldKey::meaningless("storage.azure.upload_buffer_size", BUFFERS),
    OldKey::meaningless("storage.azure.upload_buffer_count", BUFFERS),
];

pub(super) const RULER_STORAGE: &[OldKey] = &[
    OldKey::meaningless("s3.list_objects_version", PROTOCOL),
    OldKey::meaningless("s3.dualstack_enabled", ENDPOINT),
    OldKey::meaningless("s3.native_aws_auth_enabled", "it is always tried without keys"),
    OldKey::meaningless("s3.send_content_md5", "uploads carry a checksum"),
    OldKey::meaningless("s3.trace", "requests are part of the traces"),
    OldKey::meaningless("s3.http.expect_continue_timeout", BUFFERS),
    OldKey::meaningless("s3.http.max_idle_connections", BUFFERS),
    OldKey::meaningless("s3.http.max_connections_per_host", BUFFERS),
    OldKey::meaningless("s3.http.tls_server_name", "the certificate must have the host's name"),
    OldKey::meaningless("gcs.chunk_buffer_size", BUFFERS),
    OldKey::meaningless("azure.chunk_delimiter", COLONS),
];
