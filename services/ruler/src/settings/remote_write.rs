//! Where results of recording rules go, and how they wait for it.

use std::collections::BTreeMap;

use larch_limits::RemoteWriteSettings;
use larch_types::{InvalidSetting, NamedFile, Span, ensure};
use serde::{Deserialize, Serialize};

/// Where results of recording rules go. Without a target they are dropped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RemoteWriteClients {
    /// Targets by names of the user's choice, by which tenants can override them.
    pub clients: BTreeMap<String, RemoteWriteSettings>,
    /// Sends results.
    pub enabled: bool,
    /// How often it is looked for targets that a tenant overrides.
    pub config_refresh_period: Span,
    /// Names the tenant in the header `X-Scope-OrgID`.
    pub add_org_id_header: bool,
}

/// Samples that wait for remote write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WalSettings {
    /// Directory with one below it for each tenant.
    pub dir: String,
    /// How often what was sent is removed.
    pub truncate_frequency: Span,
    /// How long a sample is kept at least.
    pub min_age: Span,
    /// Age at which a sample is removed though it was not sent.
    pub max_age: Span,
}

/// Removing what tenants without rules have left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WalCleanerSettings {
    /// How long it is left alone.
    pub min_age: Span,
    /// How often it is looked for; 0 means never.
    pub period: Span,
}

impl Default for RemoteWriteClients {
    fn default() -> Self {
        Self {
            clients: BTreeMap::new(),
            enabled: false,
            config_refresh_period: Span::from_secs(10),
            add_org_id_header: true,
        }
    }
}

impl Default for WalSettings {
    fn default() -> Self {
        Self {
            dir: "ruler-wal".to_owned(),
            truncate_frequency: Span::from_hours(1),
            min_age: Span::from_mins(5),
            max_age: Span::from_hours(4),
        }
    }
}

impl Default for WalCleanerSettings {
    fn default() -> Self {
        Self { min_age: Span::from_hours(12), period: Span::ZERO }
    }
}

impl RemoteWriteClients {
    pub(super) fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        let refresh = self.config_refresh_period;
        ensure(refresh > Span::ZERO, &format!("{at}config_refresh_period"), "must be above 0")?;
        for (name, client) in &self.clients {
            let at = format!("{at}clients.{name}.");
            ensure(!self.enabled || !client.url.is_empty(), &format!("{at}url"), "is missing")?;
            client.check_at(&at)?;
        }
        Ok(())
    }

    pub(super) fn files_at(&self, at: &str) -> Vec<NamedFile> {
        let mut files = Vec::new();
        for (name, client) in &self.clients {
            files.extend(client.files_at(&format!("{at}clients.{name}.")));
        }
        files
    }
}

impl WalSettings {
    pub(super) fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        ensure(!self.dir.is_empty(), &format!("{at}dir"), "is missing")?;
        ensure(self.truncate_frequency > Span::ZERO, &format!("{at}truncate_frequency"), "must be above 0")?;
        ensure(!self.min_age.is_negative(), &format!("{at}min_age"), "must not be negative")?;
        ensure(self.max_age > self.min_age, &format!("{at}max_age"), "must be above min_age")
    }
}

impl WalCleanerSettings {
    pub(super) fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        for (key, span) in [("min_age", self.min_age), ("period", self.period)] {
            ensure(!span.is_negative(), &format!("{at}{key}"), "must not be negative")?;
        }
        Ok(())
    }
}
