//! Which labels a metric query needs of its parsers.

/// A parser extracts no others, and stops once it has them all: a later error in the line then goes
/// unnoticed, which users rely on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints {
    /// `None`: all of them. Sorted.
    names: Option<Vec<Box<str>>>,
    preserves_errors: bool,
}

impl Hints {
    /// Log queries, and metric queries that keep their labels.
    pub fn all() -> Self {
        Self::default()
    }

    /// Only these names. Of one that ends in `_extracted` the name without it is needed too, because the
    /// parser meets that one. No names at all means that parsers have nothing to do.
    pub fn only(names: &[&str]) -> Self {
        let mut all: Vec<Box<str>> = Vec::with_capacity(names.len());
        for name in names {
            all.push((*name).into());
            if let Some(short) = name.strip_suffix("_extracted") {
                all.push(short.into());
            }
        }
        all.sort_unstable();
        all.dedup();
        Self { names: Some(all), preserves_errors: false }
    }

    /// The query filters or groups by the error label: parser errors then do not make it fail.
    pub fn preserving_errors(self) -> Self {
        Self { preserves_errors: true, ..self }
    }

    pub(crate) fn preserves_errors(&self) -> bool {
        self.preserves_errors
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.names.as_ref().is_some_and(Vec::is_empty)
    }

    pub(crate) fn needed(&self) -> Option<usize> {
        self.names.as_ref().map(Vec::len)
    }

    pub(crate) fn wants(&self, name: &str, suffix: &str) -> bool {
        let Some(names) = &self.names else {
            return true;
        };
        names.iter().any(|wanted| wanted.strip_suffix(suffix) == Some(name))
    }

    /// Some name may begin like this.
    pub(crate) fn wants_prefix(&self, prefix: &str) -> bool {
        match &self.names {
            None => true,
            Some(names) => names.iter().any(|wanted| wanted.starts_with(prefix)),
        }
    }
}
