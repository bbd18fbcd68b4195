//! Saying again in the log what it says of files, so that old files of the log can go.

use std::sync::Arc;

use tracing::error;

use crate::node::Node;
use crate::note::{NoteError, begin_note};
use crate::record::{Announced, Begun, encode_announced, encode_begun, encode_cut};
use crate::rhythm::most_log_files;
use crate::segment_file::SegmentFile;
use crate::set_aside::forget_copies;
use crate::tenant::Tenant;
use crate::upload::HandedOver;

/// Records that wait for the log together: a tenth of what its queue takes.
pub(crate) const RECORDS_AT_ONCE: usize = 1000;

/// For every tenant whose files would keep an old file of the log, or are not named in it yet.
pub(crate) async fn restate(node: &Node) {
    let files = node.log.files();
    let keep_from = files.len().checked_sub(most_log_files(node)).map_or(1, |first| files[first].first.0);
    for tenant in node.tenants.all() {
        if tenant.shelf.oldest_description().is_none_or(|oldest| oldest.0 >= keep_from) {
            continue;
        }
        if let Err(problem) = describe(node, &tenant).await {
            error!(tenant = %tenant.id, error = %problem, "segment files are not named again in the log");
            return;
        }
        forget_copies(node, &tenant).await;
    }
}

/// Names all files of a tenant.
pub(crate) async fn describe(node: &Node, tenant: &Tenant) -> Result<(), NoteError> {
    let _turn = tenant.cutting.lock().await;
    let noting = tenant.shelf.describe(None, &[], |cut| begin_note(node, encode_cut(&tenant.id, cut)))?;
    tenant.shelf.note_description(noting.done().await?);
    let begun: Vec<_> =
        tenant.shelf.files().into_iter().filter(|file| file.progress.begun().is_some()).collect();
    for some in begun.chunks(RECORDS_AT_ONCE) {
        note_begun(node, tenant, some).await?;
    }
    for some in tenant.shelf.handed_over().chunks(RECORDS_AT_ONCE) {
        note_announced(node, tenant, some).await?;
    }
    Ok(())
}

async fn note_begun(node: &Node, tenant: &Tenant, files: &[Arc<SegmentFile>]) -> Result<(), NoteError> {
    let mut notings = Vec::with_capacity(files.len());
    for file in files {
        let Some(begun) = file.progress.begun() else { continue };
        let record = Begun { file: file.id(), segment: begun.segment };
        notings.push((file, begun, begin_note(node, encode_begun(&tenant.id, record))?));
    }
    for (file, begun, noting) in notings {
        file.progress.log_again(begun.segment, noting.done().await?);
    }
    Ok(())
}

async fn note_announced(node: &Node, tenant: &Tenant, all: &[Arc<HandedOver>]) -> Result<(), NoteError> {
    let mut notings = Vec::with_capacity(all.len());
    for handed in all {
        let record = Announced { file: handed.file(), entry: handed.entry.clone() };
        notings.push((handed, begin_note(node, encode_announced(&tenant.id, &record))?));
    }
    for (handed, noting) in notings {
        handed.log_again(noting.done().await?);
    }
    Ok(())
}
