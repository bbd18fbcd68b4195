//! Asking ingesters: all of them, because each may hold rows that no other has.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use futures_util::future::try_join_all;
use larch_membership::Part;
use larch_proto::ReadHead;
use larch_rpc::{CallError, Headed, Ingester};
use larch_types::{ErrorKind, NodeId};

use crate::deps::Deps;

/// What one ingester answered.
pub(crate) struct Answer<T> {
    /// As membership names the node that was asked.
    pub(crate) node: NodeId,
    pub(crate) answer: T,
}

/// Asks every ingester that is known, and those that come to be known while the others answer. One that
/// does not answer fails the question: what it holds would be missing without a word.
pub(crate) async fn ask_all<T, F>(
    deps: &Deps,
    call: impl Fn(Arc<dyn Ingester>) -> F,
    digest: impl Fn(&T) -> u64,
) -> Result<Vec<Answer<T>>, CallError>
where
    F: Future<Output = Result<T, CallError>>,
{
    if deps.config.querier.query_store_only {
        return Ok(Vec::new());
    }
    let mut asked = BTreeSet::new();
    let mut answers: Vec<Answer<T>> = Vec::new();
    loop {
        let view = deps.members.view();
        let mut calls = Vec::new();
        for member in view.of(Part::Ingester) {
            if asked.insert(member.node) {
                let (node, call) = (member.node, call(deps.transport.ingester(&member.address)));
                calls.push(async move { call.await.map(|answer| Answer { node, answer }) });
            }
        }
        if calls.is_empty() {
            break;
        }
        answers.extend(try_join_all(calls).await?);
        // Whoever sees another ring may know of rows that are elsewhere by now.
        if answers.iter().all(|answer| digest(&answer.answer) == view.ring_digest()) {
            break;
        }
    }
    if answers.is_empty() {
        return Err(CallError::new(ErrorKind::Unavailable, "empty ring: there is no ingester to ask"));
    }
    Ok(answers)
}

/// As [`ask_all`], for answers that begin with a head.
pub(crate) async fn ask_heads<B, F>(
    deps: &Deps,
    call: impl Fn(Arc<dyn Ingester>) -> F,
) -> Result<Vec<Answer<Headed<ReadHead, B>>>, CallError>
where
    F: Future<Output = Result<Headed<ReadHead, B>, CallError>>,
{
    ask_all(deps, call, |answer: &Headed<ReadHead, B>| answer.head.ring_digest.0).await
}
