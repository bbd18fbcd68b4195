//! The object `stats`: what a query cost, under all the names that Loki has for it.

use std::time::Duration;

use larch_proto::QueryStatistics;

use super::explain::{Explained, explain};
use super::numbers::{fraction, whole};

/// What is known of a query at its end.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Statistics {
    /// Summed over all pieces.
    pub cost: QueryStatistics,
    /// From the first piece to the answer.
    pub exec: Duration,
    /// In the queue, summed over all pieces.
    pub queue: Duration,
    /// Rows or points of the answer.
    pub entries: u64,
    pub splits: u64,
    pub shards: u64,
    /// Answers to pieces that were looked for in a cache, and those that were there.
    pub results_asked: u64,
    pub results_found: u64,
    pub results_bytes: u64,
    /// How the answer was come by, if that was asked; it is shown beside the statistics.
    pub explained: Option<Explained>,
}

impl Statistics {
    /// Bytes of lines and metadata that were looked at.
    pub fn bytes(&self) -> u64 {
        self.cost.line_bytes.saturating_add(self.cost.metadata_bytes)
    }

    pub fn bytes_per_second(&self) -> u64 {
        per_second(self.bytes(), self.exec)
    }

    pub fn rows_per_second(&self) -> u64 {
        per_second(self.cost.rows, self.exec)
    }
}

fn per_second(amount: u64, time: Duration) -> u64 {
    let seconds = time.as_secs_f64();
    // Of a time too short to measure the rate is not known.
    if seconds > 0.0 { (amount as f64 / seconds) as u64 } else { 0 }
}

/// How fractions are shown: to six digits among streams, else in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fractions {
    SixDigits,
    Shortest,
}

/// The caches that Loki has; Larch's pages are its chunks.
const CACHES: [&str; 10] = [
    "chunk",
    "index",
    "result",
    "statsResult",
    "volumeResult",
    "seriesResult",
    "labelResult",
    "instantMetricResult",
    "logResult",
    "taskResult",
];

pub(super) fn statistics(out: &mut Vec<u8>, stats: &Statistics, fractions: Fractions) {
    out.extend_from_slice(b"{\"summary\":");
    summary(out, stats, fractions);
    let cost = &stats.cost;
    out.extend_from_slice(b",\"querier\":{\"store\":");
    store(out, &Store::of_segments(cost));
    member(out, ",\"querierExecTime\":", cost.run_ns);
    out.extend_from_slice(b"},\"ingester\":{");
    member(out, "\"totalReached\":", cost.ingesters_asked);
    out.extend_from_slice(b",\"totalChunksMatched\":0");
    member(out, ",\"totalBatches\":", cost.ingester_batches);
    member(out, ",\"totalLinesSent\":", cost.ingester_rows);
    out.extend_from_slice(b",\"store\":");
    store(out, &Store::of_ingesters(cost));
    out.extend_from_slice(b"},\"cache\":{");
    for (index, name) in CACHES.into_iter().enumerate() {
        let separator = if index == 0 { "\"" } else { ",\"" };
        out.extend_from_slice(separator.as_bytes());
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        cache(out, &CacheUse::of(name, stats));
    }
    out.extend_from_slice(b"},\"index\":{");
    member(out, "\"totalChunks\":", cost.chunks_planned);
    member(out, ",\"postFilterChunks\":", cost.chunks_read);
    out.extend_from_slice(b",\"shardsDuration\":0,\"usedBloomFilters\":false");
    member(out, ",\"totalStreams\":", cost.streams);
    member(out, ",\"chunkRefsLookupTime\":", cost.plan_ns);
    out.extend_from_slice(b",\"bloomFilterTime\":0}}");
    if let Some(explained) = &stats.explained {
        out.extend_from_slice(b",\"explain\":");
        explain(out, explained);
    }
}

fn summary(out: &mut Vec<u8>, stats: &Statistics, fractions: Fractions) {
    let seconds = |out: &mut Vec<u8>, time: Duration| match fractions {
        Fractions::SixDigits => fraction(out, (time.as_secs_f64() * 1e6).round() / 1e6),
        Fractions::Shortest => fraction(out, time.as_secs_f64()),
    };
    member(out, "{\"bytesProcessedPerSecond\":", stats.bytes_per_second());
    member(out, ",\"linesProcessedPerSecond\":", stats.rows_per_second());
    member(out, ",\"totalBytesProcessed\":", stats.bytes());
    member(out, ",\"totalLinesProcessed\":", stats.cost.rows);
    out.extend_from_slice(b",\"execTime\":");
    seconds(out, stats.exec);
    out.extend_from_slice(b",\"queueTime\":");
    seconds(out, stats.queue);
    out.extend_from_slice(b",\"subqueries\":0");
    member(out, ",\"totalEntriesReturned\":", stats.entries);
    member(out, ",\"splits\":", stats.splits);
    member(out, ",\"shards\":", stats.shards);
    member(out, ",\"totalPostFilterLines\":", stats.cost.rows_after_filters);
    member(out, ",\"totalStructuredMetadataBytesProcessed\":", stats.cost.metadata_bytes);
    out.push(b'}');
}

/// What came from segments, or what came from ingesters.
#[derive(Default)]
struct Store {
    chunks: u64,
    chunks_read: u64,
    fetch_ns: u64,
    plan_ns: u64,
    head_bytes: u64,
    head_rows: u64,
    bytes: u64,
    rows: u64,
    stored_bytes: u64,
    duplicates: u64,
    rows_after_filters: u64,
    metadata_bytes: u64,
}

impl Store {
    fn of_segments(cost: &QueryStatistics) -> Self {
        Self {
            chunks: cost.chunks_planned,
            chunks_read: cost.chunks_read,
            fetch_ns: cost.fetch_ns,
            plan_ns: cost.plan_ns,
            bytes: cost.line_bytes.saturating_add(cost.metadata_bytes).saturating_sub(cost.ingester_bytes),
            rows: cost.rows.saturating_sub(cost.ingester_rows),
            stored_bytes: cost.page_bytes,
            duplicates: cost.duplicate_rows,
            rows_after_filters: cost.rows_after_filters,
            metadata_bytes: cost.metadata_bytes,
            ..Self::default()
        }
    }

    fn of_ingesters(cost: &QueryStatistics) -> Self {
        Self { head_bytes: cost.ingester_bytes, head_rows: cost.ingester_rows, ..Self::default() }
    }
}

fn store(out: &mut Vec<u8>, store: &Store) {
    member(out, "{\"totalChunksRef\":", store.chunks);
    member(out, ",\"totalChunksDownloaded\":", store.chunks_read);
    member(out, ",\"chunksDownloadTime\":", store.fetch_ns);
    out.extend_from_slice(b",\"queryReferencedStructuredMetadata\":false,\"queryUsedV2Engine\":false");
    member(out, ",\"chunk\":{\"headChunkBytes\":", store.head_bytes);
    member(out, ",\"headChunkLines\":", store.head_rows);
    member(out, ",\"decompressedBytes\":", store.bytes);
    member(out, ",\"decompressedLines\":", store.rows);
    member(out, ",\"compressedBytes\":", store.stored_bytes);
    member(out, ",\"totalDuplicates\":", store.duplicates);
    member(out, ",\"postFilterLines\":", store.rows_after_filters);
    out.extend_from_slice(b",\"headChunkStructuredMetadataBytes\":0");
    member(out, ",\"decompressedStructuredMetadataBytes\":", store.metadata_bytes);
    member(out, "},\"chunkRefsFetchTime\":", store.plan_ns);
    out.extend_from_slice(
        b",\"congestionControlLatency\":0,\"pipelineWrapperFilteredLines\":0,\"dataobj\":{\
          \"prePredicateDecompressedRows\":0,\"prePredicateDecompressedBytes\":0,\
          \"prePredicateDecompressedStructuredMetadataBytes\":0,\"postPredicateRows\":0,\
          \"postPredicateDecompressedBytes\":0,\"postPredicateStructuredMetadataBytes\":0,\
          \"postFilterRows\":0,\"pagesScanned\":0,\"pagesDownloaded\":0,\"pagesDownloadedBytes\":0,\
          \"pageBatches\":0,\"totalRowsAvailable\":0,\"totalPageDownloadTime\":0,\"wireBytesTransferred\":0}}",
    );
}

/// What came from one of the caches.
#[derive(Default)]
struct CacheUse {
    found: u64,
    asked: u64,
    bytes: u64,
}

impl CacheUse {
    fn of(name: &str, stats: &Statistics) -> Self {
        let cost = &stats.cost;
        let (found, asked, bytes) = match name {
            "chunk" => (cost.pages_from_cache, cost.pages_read, cost.page_bytes_from_cache),
            "result" => (stats.results_found, stats.results_asked, stats.results_bytes),
            _ => (0, 0, 0),
        };
        Self { found, asked, bytes }
    }
}

fn cache(out: &mut Vec<u8>, cache: &CacheUse) {
    member(out, "{\"entriesFound\":", cache.found);
    member(out, ",\"entriesRequested\":", cache.asked);
    out.extend_from_slice(b",\"entriesStored\":0");
    member(out, ",\"bytesReceived\":", cache.bytes);
    out.extend_from_slice(b",\"bytesSent\":0,\"requests\":0,\"downloadTime\":0,\"queryLengthServed\":0}");
}

fn member(out: &mut Vec<u8>, name: &str, value: u64) {
    out.extend_from_slice(name.as_bytes());
    whole(out, value);
}
