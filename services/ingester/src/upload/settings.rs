//! How segment files get into the store.

use std::time::Duration;

use crate::settings::IngesterSettings;

#[derive(Debug, Clone, Copy)]
pub(crate) struct UploadSettings {
    /// Uploads under way.
    pub(crate) parallel: usize,
    /// For one try.
    pub(crate) timeout: Duration,
    pub(crate) first_wait: Duration,
    pub(crate) longest_wait: Duration,
    /// Tries after which waits begin anew with the next look; 0 means never.
    pub(crate) most_tries: u32,
    pub(crate) look_every: Duration,
    /// How long readers are told of a segment after it was announced.
    pub(crate) keep: Duration,
}

impl UploadSettings {
    pub(crate) fn new(settings: &IngesterSettings) -> Self {
        let backoff = &settings.flush_op_backoff;
        Self {
            parallel: settings.concurrent_flushes as usize,
            timeout: settings.flush_op_timeout.to_std(),
            first_wait: backoff.min_period.to_std(),
            longest_wait: backoff.max_period.to_std(),
            most_tries: backoff.max_retries,
            look_every: settings.flush_check_period.to_std(),
            keep: settings.keep_handed_over.to_std(),
        }
    }
}
