//! Cutting: a tenant's rows go from memory into segment files, which are their durable copy from then on.
//!
//! Files first, synced with their names; then the record of the log that says so; then readers and the log
//! let go of the rows. A crash between any two leaves the rows in the log, in files, or in both, and rows
//! that are there twice are one row.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use larch_rpc::CallError;
use larch_runtime::{Env, Scope};
use larch_segment::{Effort, Frozen, Provenance, Totals, WriteError};
use larch_types::{Day, ErrorKind, NodeId, SegmentId, TenantId, Timestamp};
use larch_wal::Dir;
use tracing::{error, info};

use crate::carry::{carry, is_small};
use crate::cut_metrics::CutReason;
use crate::node::Node;
use crate::note::{NoteError, begin_note};
use crate::record;
use crate::restate::restate;
use crate::rhythm::{is_short_of_disk, most_log_files, pause};
use crate::segment_file::name::finished as finished_name;
use crate::segment_file::{NewFile, SegmentFile, blocking, finish, remove};
use crate::set_aside::{forget_copies, set_aside};
use crate::shelf::{CutRows, Holdings};
use crate::tenant::Tenant;
use crate::upload::Progress;

/// Raw bytes of rows at which a tenant's are cut: they make a segment of about a tenth of that.
pub(crate) const CUT_BYTES: usize = 64 << 20;

/// Memory of rows at which they are cut however few bytes they have: rows of few bytes, or many streams.
const CUT_MEMORY_BYTES: usize = 2 * CUT_BYTES;

/// A segment holds rows of one day. Rows of more days than this share one segment for the rest.
const MOST_DAYS: usize = 8;

/// Files of the log that may be kept for the sake of old rows; beyond, these are cut or, where they are few, written
/// again, and the log says again which segment files there are.
pub(crate) const MOST_LOG_FILES: usize = 8;

/// Tenants that are cut at a time. A cut works on one core and holds one segment in memory beside its rows.
const PARALLEL_CUTS: usize = 4;

/// Why rows stay in memory and in the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CutError {
    #[error("make a segment")]
    Make(#[from] WriteError),
    #[error("write segment files")]
    Write(#[from] io::Error),
    #[error("log a cut")]
    Log(#[from] NoteError),
    #[error(transparent)]
    Unfinished(#[from] CallError),
}

/// Cuts what is large, old, or in the way, until the scope is asked to stop.
pub(crate) async fn cut_when_due(node: Arc<Node>, max_age: Duration, scope: Scope) {
    loop {
        let woken = node.wake_cutter.notified();
        let pause = node.env.sleep(pause(&node));
        let wait = futures_util::future::select(Box::pin(woken), Box::pin(pause));
        if scope.until_cancelled(wait).await.is_none() {
            return;
        }
        node.rhythm.begin_look();
        let Due { cut, carry: small } = due(&node, max_age);
        cut_all(&node, cut, &scope).await;
        let too_large = carry(&node, small).await;
        cut_all(&node, too_large.into_iter().map(|tenant| (tenant, CutReason::Forced)).collect(), &scope)
            .await;
        if scope.is_cancelled() {
            return;
        }
        restate(&node).await;
        node.release_log();
    }
}

async fn cut_all(node: &Node, tenants: Vec<(Arc<Tenant>, CutReason)>, scope: &Scope) {
    let cut = async |(tenant, reason): (Arc<Tenant>, CutReason)| {
        if !scope.is_cancelled() {
            // What failed is said, and tried again at the next look.
            drop(cut_tenant(node, &tenant, reason).await);
        }
    };
    stream::iter(tenants).for_each_concurrent(PARALLEL_CUTS, cut).await;
}

/// Whether a tenant's rows make a segment.
pub(crate) const fn is_large(held: &Holdings) -> bool {
    held.raw_bytes >= CUT_BYTES || held.arena_bytes >= CUT_MEMORY_BYTES
}

/// What is to be done with tenants.
#[derive(Default)]
struct Due {
    /// All if somebody asked; those with much, those with old rows, the largest while memory is short, and those with
    /// the oldest rows while the log is long.
    cut: Vec<(Arc<Tenant>, CutReason)>,
    /// Those of the last kind that have little.
    carry: Vec<Arc<Tenant>>,
}

fn due(node: &Node, max_age: Duration) -> Due {
    let now = node.env.clock.monotonic();
    let files = node.log.files();
    let is_short_of_disk = is_short_of_disk(node);
    let keep_from = files.len().checked_sub(most_log_files(node)).map(|first| files[first].first);
    let all = node.take_flush();
    let mut due = Due::default();
    let mut others = Vec::new();
    for tenant in node.tenants.all() {
        let held = tenant.shelf.holdings();
        if held.rows == 0 {
            continue;
        }
        if !all && !tenant.failures.let_try(now) {
            node.rhythm.note_failure();
            continue;
        }
        let is_large = is_large(&held) || held.cuts > 0;
        let is_old = held.since.is_some_and(|since| now.since(since) >= max_age);
        let in_the_way =
            keep_from.is_some_and(|first| held.oldest_rows.is_some_and(|oldest| oldest.0 < first.0));
        // Written again, rows would take as much as before.
        let is_small = is_small(&held) && !is_short_of_disk;
        if all || is_large || is_old || (in_the_way && !is_small) {
            let reason = match (is_large, is_old) {
                (true, _) => CutReason::Full,
                (false, true) => CutReason::MaxAge,
                (false, false) => CutReason::Forced,
            };
            due.cut.push((tenant, reason));
        } else {
            if in_the_way {
                due.carry.push(Arc::clone(&tenant));
            }
            others.push((held.memory_bytes, tenant));
        }
    }
    others.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
    // Half is for rows that come while others are cut.
    let mut excess = node.held_bytes().saturating_sub(node.bounds.memory_bytes / 2);
    for (bytes, tenant) in others {
        if excess == 0 {
            break;
        }
        excess = excess.saturating_sub(bytes);
        due.cut.push((tenant, CutReason::Full));
    }
    due
}

/// Puts all rows that a tenant has in memory now into files. Returns how many files that took.
pub(crate) async fn cut_tenant(
    node: &Node,
    tenant: &Arc<Tenant>,
    reason: CutReason,
) -> Result<usize, CutError> {
    let _turn = tenant.cutting.lock().await;
    tenant.shelf.begin_cut();
    let mut count = 0;
    while let Some(cut) = tenant.shelf.oldest_cut() {
        match cut_rows(node, tenant, cut, reason).await {
            Ok(files) => count += files,
            Err(problem) => {
                let failures = tenant.failures.add(node.env.clock.monotonic());
                node.rhythm.note_failure();
                let source = std::error::Error::source(&problem).map(ToString::to_string);
                error!(tenant = %tenant.id, failures, error = %problem, source, "rows are not cut");
                node.metrics.failed_cuts.inc();
                node.metrics.checkpoints.failed_creations.inc();
                if tenant.failures.are_many() {
                    set_aside(node, tenant).await;
                }
                return Err(problem);
            }
        }
        tenant.failures.end();
    }
    forget_copies(node, tenant).await;
    Ok(count)
}

/// A tenant whose rows cannot be cut would fill the memory of all.
pub(crate) fn check_cuts(tenant: &Tenant) -> Result<(), CallError> {
    if !tenant.failures.are_many() {
        return Ok(());
    }
    let text = "the tenant's rows could not be written to segment files; no more are taken until they are";
    Err(CallError::new(ErrorKind::TooMany, text))
}

async fn cut_rows(
    node: &Node,
    tenant: &Arc<Tenant>,
    cut: Arc<CutRows>,
    reason: CutReason,
) -> Result<usize, CutError> {
    let started = node.env.clock.monotonic();
    node.metrics.checkpoints.creations.inc();
    let held = *cut.rows.held();
    let (rows, raw_bytes) = (held.rows, held.raw_bytes);
    let upto = cut.upto;
    let files = match cut.written() {
        // The log could not be told of them, or perhaps was all the same: they must stay.
        Some(files) => files.clone(),
        None => {
            let (dir, env, id) = (Arc::clone(&node.dir), node.env.clone(), node.id);
            let (name, taken) = (tenant.id.clone(), Arc::clone(&cut));
            let write = move || write_files(&*dir, &name, &taken.rows, &env, id);
            let written = blocking(&*node.dir, write).await??;
            cut.keep_written(node.metrics.cut.count_files(written)).clone()
        }
    };
    drop(cut);
    let describe = |cut: &record::Cut| begin_note(node, record::encode_cut(&tenant.id, cut));
    let described = tenant.shelf.describe(Some(upto), &files, describe)?.done().await?;
    let (count, bytes) = (files.len(), files.iter().map(|file| file.bytes).sum::<u64>());
    tenant.shelf.finish_cut(files.clone(), Some(described));
    node.wait_for_upload(tenant, &files);
    node.note_memory(tenant);
    tenant.cut_done.notify_waiters();
    node.metrics.cuts.inc();
    let took = node.env.clock.monotonic().since(started);
    node.metrics.checkpoints.made(bytes, took);
    node.metrics.cut.count(reason, held, CUT_BYTES, (count, bytes), (node.env.clock.now(), took));
    info!(tenant = %tenant.id, rows, raw_bytes, files = count, bytes, duration = ?took, "rows cut");
    Ok(count)
}

/// A file that is there, and what is in it.
pub(crate) struct Written {
    pub(crate) file: Arc<SegmentFile>,
    pub(crate) totals: Totals,
}

/// One file a day, and one for the days beyond the eight that have most rows; all or none. It blocks.
pub(crate) fn write_files(
    dir: &dyn Dir,
    tenant: &TenantId,
    rows: &Frozen,
    env: &Env,
    uploader: NodeId,
) -> Result<Vec<Written>, CutError> {
    let (days, rest) = days_with_files(&rows.days());
    let mut ids: Vec<SegmentId> = days.iter().map(|_| env.new_segment_id()).collect();
    if rest {
        ids.push(env.new_segment_id());
    }
    let write = |place: usize| {
        let passes = |time: Timestamp| match days.get(place) {
            Some(day) => time.day() == *day,
            None => !days.contains(&time.day()),
        };
        write_file(dir, tenant, rows, (ids[place], uploader), passes)
    };
    let written = (0..ids.len()).map(write).collect::<Result<Vec<(NewFile, Totals)>, CutError>>();
    let finished = written.and_then(|files| {
        finish(dir, tenant, files.iter().map(|(file, _)| file.id()))?;
        Ok(files)
    });
    let files = finished.inspect_err(|_| remove(dir, tenant, &ids))?;
    let now = env.clock.monotonic();
    let file = |(file, totals): (NewFile, Totals)| {
        let (id, name) = (file.id(), finished_name(file.id(), tenant));
        let file = SegmentFile::new(id, name, file.bytes(), now, Progress::default());
        // So that reads of other times need not open it.
        file.know_times((totals.first_time, totals.last_time));
        Written { file: Arc::new(file), totals }
    };
    Ok(files.into_iter().map(file).collect())
}

/// The days that have a file each, and whether there are others.
fn days_with_files(days: &BTreeMap<Day, usize>) -> (Vec<Day>, bool) {
    let mut by_rows: Vec<(Day, usize)> = days.iter().map(|(day, rows)| (*day, *rows)).collect();
    by_rows.sort_by_key(|(day, rows)| (std::cmp::Reverse(*rows), *day));
    by_rows.truncate(MOST_DAYS);
    (by_rows.into_iter().map(|(day, _)| day).collect(), days.len() > MOST_DAYS)
}

fn write_file(
    dir: &dyn Dir,
    tenant: &TenantId,
    rows: &Frozen,
    (id, uploader): (SegmentId, NodeId),
    passes: impl Fn(Timestamp) -> bool,
) -> Result<(NewFile, Totals), CutError> {
    let provenance =
        Provenance { id, uploader, inputs: Vec::new(), siblings: Vec::new(), tombstones: Vec::new() };
    let mut file = NewFile::create(dir, tenant, id)?;
    let put = |piece: &[u8]| file.append(piece).map_err(CutError::Write);
    let totals = rows.write(passes, provenance, Effort::Fresh, put)?;
    file.sync()?;
    Ok((file, totals))
}
