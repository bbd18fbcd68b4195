//! One stream, with its rows.

use std::sync::Arc;

use bytes::Bytes;
use larch_limits::LimitsSettings;
use larch_logql::InvalidName;
use larch_proto::{AppendEntry, AppendStream};
use larch_types::{TenantId, Timestamp};

use super::entry::{TimeBounds, check_entry};
use super::metadata::{add_fields, detect_level, normalized};
use super::problems::Problem;
use super::{Accepted, Against, Blocked, Checked, TakenStream, Unreadable};
use crate::labels::{SERVICE_NAME, StreamLabels};
use crate::metrics::{Reason, Volume};
use crate::pushed::{PushedEntry, PushedPair};
use crate::usage::tracked;

/// Stands for the streams that have no policy, where policies are named.
const NO_POLICY: &str = "*";

impl Checked {
    pub(super) fn take_stream(
        &mut self,
        against: &Against<'_>,
        labels: &StreamLabels,
        mut entries: Vec<PushedEntry>,
    ) -> Result<(), InvalidName> {
        if entries.is_empty() {
            return Ok(());
        }
        let Against { tenant, rules, head, metrics, .. } = against;
        let policy = match &head.policy {
            Some(forced) => Some(Arc::from(forced.as_str())),
            None => rules.policy(&labels.labels),
        };
        let mut accepted = Accepted {
            policy,
            retention_hours: rules.retention_hours(&labels.labels),
            internal: labels.is_internal(),
            volume: Volume::default(),
        };
        let received = volume_of(&entries);
        self.received.add(received);
        metrics.received(accepted.account(tenant, head), received);
        for entry in &entries {
            metrics.bytes_per_line.observe(entry.line.len() as f64);
        }
        truncate_lines(against, &mut entries);

        let first_row = self.rows;
        // Decoders bound the rows of a push far below 2^32.
        self.rows = self.rows.saturating_add(entries.len() as u32);
        if let Some(problem) = stream_problem(tenant, &rules.limits, labels, &accepted) {
            against.discard(accepted.account(tenant, head), problem.reason(), received);
            self.problems.add(&problem);
            return Ok(());
        }
        if let Some(blocked) = blocked(tenant, &rules.limits, against.now, accepted.policy.as_deref()) {
            let reason = if blocked.policy.is_some() { Reason::BlockedPolicy } else { Reason::Blocked };
            against.discard(accepted.account(tenant, head), reason, received);
            // A status of success is what the client is told: it then need not know.
            if blocked.status != OK {
                self.blocked.get_or_insert(blocked);
            }
            return Ok(());
        }
        if rules.limits.allow_structured_metadata {
            add_moved_labels(&labels.denied.moved, &mut entries);
        }
        let stream = self.take_entries(against, labels, entries, first_row, &mut accepted)?;
        if !stream.entries.is_empty() {
            self.streams.push(stream);
            let tracked = tracked(&rules.limits.usage_labels, &labels.labels);
            let volume = accepted.volume;
            let accepted = self.add_accepted(accepted);
            self.taken.push(TakenStream { accepted, volume, tracked });
        }
        Ok(())
    }

    /// A stream whose labels cannot be read.
    pub(super) fn refuse_unreadable(&mut self, against: &Against<'_>, unreadable: &Unreadable) {
        let Against { tenant, rules, head, metrics, .. } = against;
        let received = volume_of(&unreadable.entries);
        let nothing_known = Accepted {
            policy: None,
            retention_hours: Arc::clone(rules.default_retention()),
            internal: false,
            volume: Volume::default(),
        };
        let account = nothing_known.account(tenant, head);
        metrics.received(account, received);
        self.received.add(received);
        let problem = Problem::InvalidLabels { text: &unreadable.text, error: &unreadable.error };
        against.discard(account, problem.reason(), received);
        self.problems.add(&problem);
    }

    fn take_entries(
        &mut self,
        against: &Against<'_>,
        labels: &StreamLabels,
        entries: Vec<PushedEntry>,
        first_row: u32,
        accepted: &mut Accepted,
    ) -> Result<AppendStream, InvalidName> {
        let Against { tenant, rules, head, now, .. } = against;
        let limits = &rules.limits;
        let times = TimeBounds::new(*now, limits, head.backfill.is_some());
        let of_stream = rules.levels.as_ref().and_then(|levels| levels.of_stream(&labels.labels));
        let mut duplicates = Duplicates::default();
        let mut rows: Vec<AppendEntry> = Vec::with_capacity(entries.len());
        for (index, entry) in (first_row..).zip(entries) {
            self.newest = self.newest.max(Some(entry.time));
            let mut timestamp = match check_entry(&labels.text, &entry, times, limits) {
                Ok(timestamp) => timestamp,
                Err(problem) => {
                    let volume = volume_of(std::slice::from_ref(&entry));
                    against.discard(accepted.account(tenant, head), problem.reason(), volume);
                    self.problems.add(&problem);
                    continue;
                }
            };
            let mut metadata = normalized(entry.metadata, &mut self.sanitized)?;
            let level = rules.levels.as_ref().and_then(|levels| {
                let level = detect_level(levels, of_stream, &mut metadata, &entry.line)?;
                Some(self.levels.place(level))
            });
            if let Some(fields) = &rules.fields {
                add_fields(fields, &labels.labels, &entry.line, &mut metadata);
            }
            if limits.increment_duplicate_timestamp {
                timestamp = duplicates.moved(rows.last(), timestamp, &entry.line);
            }
            let sizes = metadata.iter().map(|pair| pair.name.as_bytes().len() + pair.value.as_bytes().len());
            accepted.volume.add(Volume {
                rows: 1,
                line_bytes: entry.line.len() as u64,
                metadata_bytes: sizes.sum::<usize>() as u64,
            });
            rows.push(AppendEntry { timestamp, line: entry.line, metadata, index, level });
        }
        Ok(AppendStream {
            labels: labels.text.clone(),
            write_shard: None,
            replica_set: 0,
            entries: rows,
            policy: accepted.policy.as_deref().unwrap_or_default().to_owned(),
            write_shards: 0,
        })
    }

    /// Gives its place in the list.
    fn add_accepted(&mut self, accepted: Accepted) -> usize {
        let same = |known: &Accepted| {
            known.policy == accepted.policy
                && known.retention_hours == accepted.retention_hours
                && known.internal == accepted.internal
        };
        if let Some(place) = self.accepted.iter().position(same) {
            self.accepted[place].volume.add(accepted.volume);
            return place;
        }
        self.accepted.push(accepted);
        self.accepted.len() - 1
    }
}

const OK: u16 = 200;

fn volume_of(entries: &[PushedEntry]) -> Volume {
    let mut volume = Volume { rows: entries.len() as u64, ..Volume::default() };
    for entry in entries {
        volume.line_bytes += entry.line.len() as u64;
        volume.metadata_bytes += entry.metadata_bytes();
    }
    volume
}

/// Labels that a stream does not have are metadata of its rows. What a client pushed under the same name
/// stays.
fn add_moved_labels(moved: &[(String, String)], entries: &mut [PushedEntry]) {
    for (name, value) in moved {
        let (name, value) =
            (Bytes::copy_from_slice(name.as_bytes()), Bytes::copy_from_slice(value.as_bytes()));
        for entry in entries.iter_mut() {
            if !entry.metadata.iter().any(|pair| pair.name == name) {
                entry.metadata.push(PushedPair { name: name.clone(), value: value.clone() });
            }
        }
    }
}

/// Cuts lines that are too long, if the tenant wants that rather than to lose them.
fn truncate_lines(against: &Against<'_>, entries: &mut [PushedEntry]) {
    let limits = &against.rules.limits;
    let max = limits.max_line_size.as_usize();
    if !limits.max_line_size_truncate || max == 0 {
        return;
    }
    let end = limits.max_line_size_truncate_identifier.as_bytes();
    // One that leaves no room says nothing, and would itself be too long.
    let end = if end.len() > max { &[] } else { end };
    let (mut rows, mut bytes) = (0, 0);
    for entry in entries.iter_mut().filter(|entry| entry.line.len() > max) {
        rows += 1;
        bytes += (entry.line.len() - max) as u64;
        let kept = entry.line.slice(..max - end.len());
        entry.line = if end.is_empty() { kept } else { Bytes::from([&kept[..], end].concat()) };
    }
    if rows > 0 {
        against.metrics.mutated(against.tenant, rows, bytes);
    }
}

/// The first thing that keeps the whole stream out.
fn stream_problem<'s>(
    tenant: &'s TenantId,
    limits: &LimitsSettings,
    labels: &'s StreamLabels,
    accepted: &'s Accepted,
) -> Option<Problem<'s>> {
    let duplicate =
        || labels.duplicate.as_ref().map(|name| Problem::Duplicate { stream: &labels.text, name });
    if accepted.internal {
        // What has two values for a name has no text to be known by, whoever wrote it.
        return duplicate();
    }
    let denied =
        || labels.denied.refused.as_ref().map(|name| Problem::DeniedLabel { stream: &labels.text, name });
    label_problem(limits, labels)
        .or_else(duplicate)
        .or_else(denied)
        .or_else(|| missing_labels(tenant, limits, labels, accepted))
}

fn label_problem<'s>(limits: &LimitsSettings, labels: &'s StreamLabels) -> Option<Problem<'s>> {
    let StreamLabels { labels, text: stream, .. } = labels;
    if labels.is_empty() {
        return Some(Problem::NoLabels);
    }
    // What every stream has is not counted against the client.
    let count = labels.len() - usize::from(labels.get(SERVICE_NAME).is_some());
    let limit = limits.max_label_names_per_series;
    let exceeds = |size: usize, limit: u32| limit > 0 && size > limit as usize;
    if exceeds(count, limit) {
        return Some(Problem::LabelNames { stream, count, limit });
    }
    for label in labels {
        if exceeds(label.name.len(), limits.max_label_name_length) {
            return Some(Problem::LabelName { stream, name: &label.name });
        }
        if exceeds(label.value.len(), limits.max_label_value_length) {
            return Some(Problem::LabelValue { stream, value: &label.value });
        }
    }
    None
}

/// Labels that the tenant, or the stream's policy, asks of every stream.
fn missing_labels<'s>(
    tenant: &'s TenantId,
    limits: &LimitsSettings,
    labels: &'s StreamLabels,
    accepted: &'s Accepted,
) -> Option<Problem<'s>> {
    let of_policy = |policy: &str| limits.policy_enforced_labels.get(policy).into_iter().flatten();
    let policy = accepted.policy.as_deref().unwrap_or_default();
    let wanted = limits.enforced_labels.iter().chain(of_policy(policy)).chain(of_policy(NO_POLICY));
    let mut missing: Vec<&str> = Vec::new();
    for name in wanted {
        if labels.labels.get(name).is_none() && !missing.contains(&name.as_str()) {
            missing.push(name);
        }
    }
    if missing.is_empty() {
        return None;
    }
    let labels_text = missing.join(",");
    Some(Problem::EnforcedLabels {
        labels: labels_text,
        tenant: tenant.as_str(),
        stream: &labels.text,
        policy,
    })
}

fn blocked(
    tenant: &TenantId,
    limits: &LimitsSettings,
    now: Timestamp,
    policy: Option<&str>,
) -> Option<Blocked> {
    let status = limits.block_ingestion_status_code;
    let tenant = tenant.to_string();
    if let Some(until) = limits.block_ingestion_until.at(now) {
        return Some(Blocked { tenant, policy: None, until, status });
    }
    let policy = policy.unwrap_or(NO_POLICY);
    let until = limits.block_ingestion_policy_until.get(policy)?.at(now)?;
    Some(Blocked { tenant, policy: Some(policy.to_owned()), until, status })
}

/// Keeps rows apart that a client gave the same time.
#[derive(Debug, Default)]
struct Duplicates {
    /// The time that the last row that was not moved came with.
    original: Option<Timestamp>,
}

impl Duplicates {
    /// The time for the next row: a nanosecond behind the row before it, if it shares that row's time, as
    /// it was or as it is now, and has another line.
    fn moved(&mut self, before: Option<&AppendEntry>, timestamp: Timestamp, line: &Bytes) -> Timestamp {
        let same_time =
            |before: &AppendEntry| Some(timestamp) == self.original || timestamp == before.timestamp;
        match before {
            Some(before) if before.line != *line && same_time(before) => {
                Timestamp::from_nanos(before.timestamp.nanos().saturating_add(1))
            }
            _ => {
                self.original = Some(timestamp);
                timestamp
            }
        }
    }
}
