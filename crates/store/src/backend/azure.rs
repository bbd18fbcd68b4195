//! Azure Blob Storage.

use std::sync::Arc;

use larch_types::Secret;
use object_store::ClientOptions;
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};

use super::open::{HttpPlace, Outside, client_error, endpoint_url, no_retries, set};
use super::{OpenError, Place};
use crate::backing::{Backing, Kind};
use crate::settings::{AzureBucketSettings, AzureEnvironment, AzureSettings};
use crate::store::Patience;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct AzurePlace {
    /// The path of the block with a dot at the end.
    at: String,
    cloud: AzureEnvironment,
    account: String,
    account_key: Secret,
    connection_string: Secret,
    container: String,
    /// Behind the account's name, `blob.` included.
    endpoint_suffix: String,
    authority: String,
    identity: Identity,
    pub(super) patience: Patience,
}

/// Who the process is where no key says so.
#[derive(Debug, Clone, PartialEq)]
enum Identity {
    /// The one that the environment names, or the machine's.
    Any {
        id: String,
    },
    /// The machine's.
    Managed {
        id: String,
    },
    /// The one whose token is in a file.
    Federated,
    Principal {
        client_id: String,
        client_secret: Secret,
        tenant_id: String,
    },
}

/// `None` if the block is not set.
pub(super) fn newer(at: &str, block: &AzureBucketSettings) -> Option<Place> {
    if *block == AzureBucketSettings::default() {
        return None;
    }
    let block = block.clone();
    Some(Place::Azure(Box::new(AzurePlace {
        at: at.to_owned(),
        cloud: AzureEnvironment::AzureGlobal,
        account: block.account_name,
        account_key: block.account_key,
        connection_string: block.connection_string,
        container: block.container_name,
        endpoint_suffix: block.endpoint_suffix,
        authority: String::new(),
        identity: Identity::Any { id: block.user_assigned_id },
        patience: Patience { tries: block.max_retries.max(1), ..Patience::default() },
    })))
}

/// `None` if the block is not set.
pub(super) fn older(at: &str, block: &AzureSettings) -> Option<Place> {
    if *block == AzureSettings::default() {
        return None;
    }
    let block = block.clone();
    let identity = if block.use_service_principal {
        Identity::Principal {
            client_id: block.client_id,
            client_secret: block.client_secret,
            tenant_id: block.tenant_id,
        }
    } else if block.use_federated_token {
        Identity::Federated
    } else if block.use_managed_identity {
        Identity::Managed { id: block.user_assigned_id }
    } else {
        Identity::Any { id: block.user_assigned_id }
    };
    let usual = Patience::default();
    Some(Place::Azure(Box::new(AzurePlace {
        at: at.to_owned(),
        cloud: block.environment,
        account: block.account_name,
        account_key: block.account_key,
        connection_string: block.connection_string,
        container: block.container_name,
        endpoint_suffix: block.endpoint_suffix,
        authority: block.active_directory_endpoint,
        identity,
        patience: Patience {
            tries: block.max_retries.max(1),
            first_wait: set(block.min_retry_delay).unwrap_or(usual.first_wait),
            longest_wait: set(block.max_retry_delay).unwrap_or(usual.longest_wait),
            try_timeout: set(block.request_timeout),
            ..usual
        },
    })))
}

/// What a connection string says.
#[derive(Debug, Default)]
struct Connection {
    account: String,
    key: String,
    sas: String,
    endpoint: String,
}

impl AzurePlace {
    /// In few words, for tests.
    #[cfg(test)]
    pub(super) fn shown(&self) -> String {
        format!("azure {} of {}", self.container, self.at)
    }

    pub(super) fn open(&self, outside: &Outside<'_>) -> Result<Backing, OpenError> {
        if self.container.is_empty() {
            return Err(OpenError::setting(format!("{}container_name", self.at), "is missing"));
        }
        let connection = self.connection()?;
        if connection.account.is_empty() {
            return Err(OpenError::setting(format!("{}account_name", self.at), "is missing"));
        }
        let url = endpoint_url(&format!("{}endpoint_suffix", self.at), &connection.endpoint, false)?;
        let connections = HttpPlace::new(&self.at).connections(true, outside)?;
        let builder = MicrosoftAzureBuilder::new()
            .with_account(&connection.account)
            .with_container_name(&self.container)
            .with_endpoint(url.as_str().trim_end_matches('/').to_owned())
            .with_client_options(ClientOptions::new().with_allow_http(url.scheme() == "http"))
            .with_http_connector(connections)
            .with_retry(no_retries());
        let builder = self.with_credentials(builder, &connection, outside);
        let client = Arc::new(builder.build().map_err(client_error(&self.at))?);
        Ok(Backing::build(Kind::Azure, &self.container, client.clone(), Some(client)))
    }

    fn connection(&self) -> Result<Connection, OpenError> {
        if self.connection_string.is_empty() {
            let suffix =
                if self.endpoint_suffix.is_empty() { cloud(self.cloud).0 } else { &self.endpoint_suffix };
            return Ok(Connection {
                account: self.account.clone(),
                key: self.account_key.reveal().to_owned(),
                sas: String::new(),
                endpoint: format!("https://{}.{}", self.account, suffix.trim_start_matches('.')),
            });
        }
        let invalid = || {
            let reason = "must be name=value pairs with semicolons between them, AccountName among them";
            OpenError::setting(format!("{}connection_string", self.at), reason)
        };
        parse_connection(self.connection_string.reveal()).ok_or_else(invalid)
    }

    fn with_credentials(
        &self,
        builder: MicrosoftAzureBuilder,
        connection: &Connection,
        outside: &Outside<'_>,
    ) -> MicrosoftAzureBuilder {
        if !connection.key.is_empty() {
            return builder.with_access_key(&connection.key).with_credential_type("access_key");
        }
        if !connection.sas.is_empty() {
            return builder
                .with_config(AzureConfigKey::SasKey, &connection.sas)
                .with_credential_type("sas_token");
        }
        let authority = match self.authority.as_str() {
            "" => outside.variable("AZURE_AUTHORITY_HOST").unwrap_or_else(|| cloud(self.cloud).1.to_owned()),
            set => set.to_owned(),
        };
        let builder = builder.with_authority_host(authority.trim_end_matches('/'));
        let managed = |builder: MicrosoftAzureBuilder, id: &str| {
            let builder = if id.is_empty() { builder } else { builder.with_client_id(id) };
            builder.with_credential_type("managed_identity")
        };
        let federated = |mut builder: MicrosoftAzureBuilder| {
            for (name, key) in [
                ("AZURE_CLIENT_ID", AzureConfigKey::ClientId),
                ("AZURE_TENANT_ID", AzureConfigKey::AuthorityId),
                ("AZURE_FEDERATED_TOKEN_FILE", AzureConfigKey::FederatedTokenFile),
            ] {
                if let Some(value) = outside.variable(name) {
                    builder = builder.with_config(key, value);
                }
            }
            builder.with_credential_type("workload_identity")
        };
        match &self.identity {
            Identity::Principal { client_id, client_secret, tenant_id } => builder
                .with_client_secret_authorization(client_id, client_secret.reveal(), tenant_id)
                .with_credential_type("client_secret"),
            Identity::Federated => federated(builder),
            Identity::Any { .. } if outside.variable("AZURE_FEDERATED_TOKEN_FILE").is_some() => {
                federated(builder)
            }
            Identity::Any { id } | Identity::Managed { id } => managed(builder, id),
        }
    }
}

/// What hosts end in, and who gives out tokens.
fn cloud(cloud: AzureEnvironment) -> (&'static str, &'static str) {
    match cloud {
        AzureEnvironment::AzureGlobal => ("blob.core.windows.net", "https://login.microsoftonline.com"),
        AzureEnvironment::AzureChinaCloud => ("blob.core.chinacloudapi.cn", "https://login.chinacloudapi.cn"),
        AzureEnvironment::AzureGermanCloud => ("blob.core.cloudapi.de", "https://login.microsoftonline.de"),
        AzureEnvironment::AzureUSGovernment => {
            ("blob.core.usgovcloudapi.net", "https://login.microsoftonline.us")
        }
    }
}

fn parse_connection(text: &str) -> Option<Connection> {
    let mut connection = Connection::default();
    let (mut protocol, mut suffix) = ("https", "core.windows.net");
    for pair in text.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        match name.to_ascii_lowercase().as_str() {
            "accountname" => connection.account = value.to_owned(),
            "accountkey" => connection.key = value.to_owned(),
            "sharedaccesssignature" => connection.sas = value.trim_start_matches('?').to_owned(),
            "blobendpoint" => connection.endpoint = value.to_owned(),
            "defaultendpointsprotocol" => protocol = value,
            "endpointsuffix" => suffix = value,
            // Of queues, tables and files.
            _ => {}
        }
    }
    if connection.endpoint.is_empty() {
        connection.endpoint = format!("{protocol}://{}.blob.{suffix}", connection.account);
    }
    if connection.account.is_empty() {
        // A signature for one container needs no account beside its URL.
        let host = connection.endpoint.split("://").nth(1)?;
        connection.account = host.split('.').next()?.to_owned();
    }
    (!connection.account.is_empty()).then_some(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_strings() {
        let parse = |text: &str| {
            parse_connection(text)
                .map(|found| [found.account, found.key, found.sas, found.endpoint].join(" "))
        };
        for (text, want) in [
            (
                "AccountName=a;AccountKey=k==;EndpointSuffix=core.windows.net",
                "a k==  https://a.blob.core.windows.net",
            ),
            ("accountname=a; DefaultEndpointsProtocol=http;", "a   http://a.blob.core.windows.net"),
            (
                "BlobEndpoint=https://b.blob.x/;SharedAccessSignature=?sv=1&sig=2",
                "b  sv=1&sig=2 https://b.blob.x/",
            ),
            ("AccountName=dev;BlobEndpoint=http://127.0.0.1:10000/dev", "dev   http://127.0.0.1:10000/dev"),
        ] {
            assert_eq!(parse(text).as_deref(), Some(want), "{text}");
        }
        assert_eq!(parse("nonsense"), None);
        assert_eq!(parse(""), None);
    }
}
