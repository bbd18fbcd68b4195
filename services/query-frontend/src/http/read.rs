//! What the endpoints have in common once they know what they ask.

use std::sync::Arc;

use larch_api::{Bounds, Statistics};
use larch_proto::{PieceTenant, Question};
use larch_types::Monotonic;

use super::asked::Asked;
use crate::check::{check_length, within_lookback};
use crate::error::ReadError;
use crate::frontend::Frontend;
use crate::join;
use crate::limits::{LimitError, ReadLimits};
use crate::plan::{Origin, Range, pieces};
use crate::run::{Gathered, Job, Thinning};

/// One read on its way.
pub(super) struct Read<'a> {
    pub(super) frontend: &'a Frontend,
    pub(super) asked: &'a Asked,
    pub(super) limits: ReadLimits,
    begun: Monotonic,
}

/// What is asked of the workers.
pub(super) struct Work {
    pub(super) tenants: Vec<PieceTenant>,
    pub(super) question: Question,
    pub(super) range: Range,
    /// 0: no limit.
    pub(super) max_series: u32,
    pub(super) thinning: Option<Thinning>,
}

/// What they brought.
#[derive(Default)]
pub(super) struct Found {
    pub(super) gathered: Vec<Gathered>,
    pub(super) statistics: Statistics,
    pub(super) warnings: Vec<String>,
}

impl<'a> Read<'a> {
    pub(super) fn begin(frontend: &'a Frontend, asked: &'a Asked) -> Self {
        let limits = frontend.limits_of(&asked.tenants);
        Self { frontend, asked, limits, begun: frontend.env.clock.monotonic() }
    }

    /// The part of the range that may be looked at; none if there is none, which is an empty answer.
    pub(super) fn clamp(&self, bounds: Bounds) -> Result<Option<Bounds>, LimitError> {
        let Some(bounds) = within_lookback(bounds, self.asked.now, self.limits.lookback) else {
            return Ok(None);
        };
        check_length(bounds, self.limits.length)?;
        Ok(Some(bounds))
    }

    /// Asks the workers. Where no tenant and no time is left there is nothing to ask.
    pub(super) async fn run(&self, work: Work) -> Result<Found, ReadError> {
        if self.limits.parallelism == 0 {
            return Err(LimitError::Disabled.into());
        }
        let Work { tenants, question, range, max_series, thinning } = work;
        if tenants.is_empty() || range.0 >= range.1 {
            return Ok(self.found(Vec::new()));
        }
        let origin = Origin {
            tenants,
            request: self.asked.request.clone(),
            trace: self.asked.trace,
            query_tags: self.asked.tags.as_str().to_owned(),
            no_cache: self.asked.no_cache,
            max_bytes: self.limits.bytes,
            max_series: u64::from(max_series),
        };
        let job = Job {
            owner: Arc::from(self.asked.user.as_str()),
            pieces: pieces(&origin, question, range),
            timeout: self.limits.timeout.to_std(),
            parallelism: self.limits.parallelism,
            thinning,
        };
        Ok(self.found(self.frontend.runner.run(job).await?))
    }

    fn found(&self, gathered: Vec<Gathered>) -> Found {
        let (mut statistics, warnings) = join::costs(&gathered);
        statistics.exec = self.frontend.env.clock.monotonic().since(self.begun);
        Found { gathered, statistics, warnings }
    }
}
