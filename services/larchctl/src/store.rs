//! Commands on the store of an installation: `catalog show`, `catalog rebuild`, `verify`.
//!
//! They read the same configuration as the servers (`-config.file`), and work beside them.

use std::fmt::Write;

use larch_launch::{Tool, with_store};
use larch_store::{
    CareError, CatalogError, CatalogSets, Checked, Finding, Problem, Rebuilt, check_tenant, partitions_of,
    rebuild_tenant,
};
use larch_types::TenantId;
use serde_json::{Value, json};

use crate::Failure;

/// Which of the commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Show,
    Rebuild,
    Verify,
}

/// What the command line says beside settings.
struct Asked {
    is_json: bool,
    writes: bool,
    /// None: all of them.
    tenant: Option<TenantId>,
}

pub(crate) fn run(command: Command, arguments: &[&str]) -> Result<String, Failure> {
    let (asked, settings) = asked(command, arguments)?;
    let done = with_store(&settings, |tool| async move {
        if let Some(word) = tool.words.first() {
            return Err(format!("unexpected argument: {word}"));
        }
        let tenants = match &asked.tenant {
            Some(tenant) => vec![tenant.clone()],
            None => tool.catalog.tenants().await.map_err(|error| error.to_string())?,
        };
        let failed = |error: CareError| shown(&error);
        match command {
            Command::Show => show(&tool, &tenants, asked.is_json).await.map_err(failed),
            Command::Verify => verify(&tool, &tenants, asked.is_json).await.map_err(failed),
            Command::Rebuild => rebuild(&tool, &tenants, &asked).await.map_err(failed),
        }
    });
    match done.map_err(Failure::Command)? {
        Outcome { text, is_good: true } => Ok(text),
        Outcome { text, is_good: false } => Err(Failure::Found(text)),
    }
}

/// What to print, and whether nothing is wrong.
struct Outcome {
    text: String,
    is_good: bool,
}

fn asked(command: Command, arguments: &[&str]) -> Result<(Asked, Vec<String>), Failure> {
    let mut asked = Asked { is_json: false, writes: true, tenant: None };
    let mut settings = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match *argument {
            "--json" => asked.is_json = true,
            "--dry-run" if command == Command::Rebuild => asked.writes = false,
            "--tenant" => {
                let tenant = rest.next().ok_or(Failure::Usage)?;
                let tenant = tenant.parse().map_err(|error| Failure::Command(format!("{error}")))?;
                asked.tenant = Some(tenant);
            }
            other => settings.push(other.to_owned()),
        }
    }
    Ok((asked, settings))
}

fn shown(error: &dyn std::error::Error) -> String {
    let (mut text, mut next) = (error.to_string(), error.source());
    while let Some(source) = next {
        let cause = source.to_string();
        if !text.contains(&cause) {
            // Writing to a string does not fail.
            write!(text, ": {cause}").unwrap_or_default();
        }
        next = source.source();
    }
    text
}

async fn show(tool: &Tool, tenants: &[TenantId], is_json: bool) -> Result<Outcome, CareError> {
    let (mut text, mut all, mut is_good) = (String::new(), Vec::new(), true);
    for tenant in tenants {
        for partition in partitions_of(&tool.store, tenant).await? {
            let view = match tool.catalog.view(tenant, partition, std::time::Duration::ZERO).await {
                Ok(view) => view,
                // One day that cannot be read does not hide the others.
                Err(error @ (CatalogError::Corrupt { .. } | CatalogError::TooMany { .. })) => {
                    is_good = false;
                    all.push(show_unreadable(tenant, &partition.to_string(), &shown(&error), &mut text));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            all.push(show_partition(tenant, &partition.to_string(), view.sets(), view.unfolded, &mut text));
        }
    }
    text.truncate(text.trim_end().len());
    let text = if is_json { format!("{:#}", Value::from(all)) } else { text };
    Ok(Outcome { text, is_good })
}

fn show_unreadable(tenant: &TenantId, partition: &str, why: &str, text: &mut String) -> Value {
    // Writing to a string does not fail.
    writeln!(text, "{tenant} {partition}: unreadable: {why}").unwrap_or_default();
    json!({ "tenant": tenant.as_str(), "partition": partition, "unreadable": why, "segments": [] })
}

fn show_partition(
    tenant: &TenantId,
    partition: &str,
    sets: &CatalogSets,
    unfolded: usize,
    text: &mut String,
) -> Value {
    let (mut rows, mut bytes, mut segments) = (0, 0, Vec::new());
    for entry in sets.live() {
        rows += entry.rows;
        bytes += entry.object_bytes;
        segments.push(json!({
            "segment": entry.id.to_string(),
            "uploader": entry.uploader.to_string(),
            "first_time": entry.first.to_string(),
            "last_time": entry.last.to_string(),
            "rows": entry.rows,
            "raw_bytes": entry.raw_bytes,
            "bytes": entry.object_bytes,
            "carried": entry.embedded.is_some(),
        }));
    }
    let removed: usize = sets.removals().values().map(|removal| removal.inputs.len()).sum();
    let line = format!(
        "{tenant} {partition}: {} live segments of {rows} rows in {bytes} bytes, {removed} removed, {unfolded} facts without \
         a snapshot",
        segments.len()
    );
    // Writing to a string does not fail.
    writeln!(text, "{line}").unwrap_or_default();
    for entry in sets.live() {
        let place = if entry.embedded.is_some() { ", in its add" } else { "" };
        writeln!(
            text,
            "  {} {} to {} {} rows {} bytes{place}",
            entry.id, entry.first, entry.last, entry.rows, entry.object_bytes
        )
        .unwrap_or_default();
    }
    json!({
        "tenant": tenant.as_str(),
        "partition": partition,
        "removed": removed,
        "facts_without_a_snapshot": unfolded,
        "segments": segments,
    })
}

async fn verify(tool: &Tool, tenants: &[TenantId], is_json: bool) -> Result<Outcome, CareError> {
    let (mut findings, mut sum) = (Vec::new(), Checked::default());
    for tenant in tenants {
        let mut tell = |finding: Finding| findings.push(finding);
        let checked = check_tenant(&tool.store, &tool.catalog, tenant, &mut tell).await?;
        sum.facts += checked.facts;
        sum.segments += checked.segments;
        sum.rows += checked.rows;
        sum.bytes += checked.bytes;
    }
    let damaged = findings.iter().filter(|finding| finding.problem.is_damage()).count();
    let text = if is_json {
        let findings: Vec<Value> = findings.iter().map(finding_as_json).collect();
        format!(
            "{:#}",
            json!({
                "facts": sum.facts, "segments": sum.segments, "rows": sum.rows, "bytes": sum.bytes,
                "findings": findings,
            })
        )
    } else {
        let mut text = as_lines(&findings);
        text += &format!(
            "{} segments of {} rows in {} bytes and {} facts are good; {damaged} objects are damaged, {} are orphans",
            sum.segments,
            sum.rows,
            sum.bytes,
            sum.facts,
            findings.len() - damaged
        );
        text
    };
    Ok(Outcome { text, is_good: damaged == 0 })
}

async fn rebuild(tool: &Tool, tenants: &[TenantId], asked: &Asked) -> Result<Outcome, CareError> {
    let (mut findings, mut sum) = (Vec::new(), Rebuilt::default());
    for tenant in tenants {
        let mut tell = |finding: Finding| findings.push(finding);
        let rebuilt =
            rebuild_tenant(&tool.store, &tool.catalog, &tool.env, tenant, asked.writes, &mut tell).await?;
        sum.added += rebuilt.added;
        sum.replaced += rebuilt.replaced;
        sum.rows += rebuilt.rows;
        sum.set_aside += rebuilt.set_aside;
    }
    let text = if asked.is_json {
        let findings: Vec<Value> = findings.iter().map(finding_as_json).collect();
        let Rebuilt { added, replaced, rows, set_aside } = sum;
        let sums = json!({
            "added": added, "replaced": replaced, "rows": rows, "set_aside": set_aside, "findings": findings,
        });
        format!("{sums:#}")
    } else {
        let would = if asked.writes { "were" } else { "would be" };
        let mut text = as_lines(&findings);
        text += &format!(
            "{} segments of {} rows {would} announced, in place of {} others",
            sum.added, sum.rows, sum.replaced
        );
        if sum.set_aside > 0 {
            text += &format!("; {} facts that cannot be read {would} set aside", sum.set_aside);
        }
        text
    };
    Ok(Outcome { text, is_good: !findings.iter().any(|finding| finding.problem.is_damage()) })
}

fn as_lines(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { object, problem } in findings {
        let (name, what) = name_of(problem);
        // Writing to a string does not fail.
        writeln!(text, "{name:8} {object}{}{what}", if what.is_empty() { "" } else { ": " })
            .unwrap_or_default();
    }
    text
}

fn finding_as_json(finding: &Finding) -> Value {
    let (name, what) = name_of(&finding.problem);
    json!({ "object": finding.object, "problem": name, "what": what })
}

fn name_of(problem: &Problem) -> (&'static str, &str) {
    match problem {
        Problem::Missing => ("missing", ""),
        Problem::Corrupt(text) => ("corrupt", text),
        Problem::SetAside(text) => ("mended", text),
        Problem::Orphan => ("orphan", ""),
    }
}
