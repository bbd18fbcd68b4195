//! The process environment, read once.

use std::collections::BTreeMap;

/// Marks a variable that is a setting: `LARCH__SERVER__HTTP_LISTEN_PORT`. Two underscores, because
/// Kubernetes injects `LARCH_…` variables of its own for a service named larch.
pub(crate) const PREFIX: &str = "LARCH__";

#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// What the process was started with. Variables that are not UTF-8 cannot be settings.
    #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    pub fn of_process() -> Self {
        let mut variables = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            if let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) {
                variables.insert(name, value);
            }
        }
        Self(variables)
    }

    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut variables = BTreeMap::new();
        for (name, value) in pairs {
            variables.insert(name.to_owned(), value.to_owned());
        }
        Self(variables)
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The settings in it: name of the variable, dotted path, value.
    pub(crate) fn settings(&self) -> impl Iterator<Item = (&str, String, &str)> {
        self.0.iter().filter_map(|(name, value)| {
            let path = name.strip_prefix(PREFIX)?.to_ascii_lowercase().replace("__", ".");
            Some((name.as_str(), path, value.as_str()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_underscores_make_a_setting() {
        let environment = Environment::from_pairs([
            ("LARCH__SERVER__HTTP_LISTEN_PORT", "1"),
            ("LARCH_SERVICE_HOST", "10.0.0.1"),
            ("LARCH_PORT", "tcp://10.0.0.1:3100"),
            ("PATH", "/bin"),
        ]);
        let settings: Vec<_> = environment.settings().collect();
        assert_eq!(
            settings,
            [("LARCH__SERVER__HTTP_LISTEN_PORT", "server.http_listen_port".to_owned(), "1")]
        );
    }
}
