//! What the tests of the log share.

use std::sync::Arc;

use larch_runtime::{Env, Scope};
use larch_telemetry::{Format, Registry};
use larch_testkit::sim::SimDir;
use larch_wal::{
    AppendError, Committed, Dir, Log, LogMetrics, LogSettings, OpenError, Position, Recovery, Replayed,
};

/// Position and bytes of what was read back.
pub(crate) type Records = Vec<(u64, Vec<u8>)>;

/// A log with a scope of its own: a process, as far as the log can tell.
pub(crate) struct Opened {
    pub(crate) log: Log<usize>,
    pub(crate) committed: Committed<usize>,
    pub(crate) scope: Scope,
    pub(crate) registry: Registry,
    next_token: usize,
}

pub(crate) fn small_files() -> LogSettings {
    LogSettings { file_bytes: 1000, ..LogSettings::default() }
}

pub(crate) fn recover(dir: Arc<dyn Dir>, settings: LogSettings, env: &Env) -> Result<Recovery, OpenError> {
    Recovery::open(dir, settings, env, &LogMetrics::new(&Registry::default(), env))
}

pub(crate) fn replay(recovery: &mut Recovery) -> (Records, Replayed) {
    let mut records = Vec::new();
    let replayed = recovery.replay(|position, record| -> Result<(), std::convert::Infallible> {
        records.push((position.0, record.to_vec()));
        Ok(())
    });
    (records, replayed.unwrap())
}

/// What is in a directory, as a process reads it that ends then.
pub(crate) fn read(dir: &SimDir) -> (Records, Replayed) {
    replay(&mut recover(Arc::new(dir.clone()), LogSettings::default(), &Env::system()).unwrap())
}

/// Starts behind what is there.
pub(crate) fn start(dir: impl Dir + 'static, settings: LogSettings, env: &Env) -> Opened {
    let registry = Registry::default();
    let metrics = LogMetrics::new(&registry, env);
    let mut recovery = Recovery::open(Arc::new(dir), settings, env, &metrics).unwrap();
    replay(&mut recovery);
    let scope = Scope::default();
    let (log, committed) = recovery.start(&scope);
    Opened { log, committed, scope, registry, next_token: 0 }
}

impl Opened {
    /// Appends one record alone and waits for what becomes of it.
    pub(crate) async fn append(&mut self, record: &[u8]) -> Result<Position, AppendError> {
        self.enqueue(record)?;
        let mut outcomes = self.committed.next().await.unwrap();
        assert_eq!(outcomes.len(), 1);
        let (token, outcome) = outcomes.remove(0);
        assert_eq!(token + 1, self.next_token);
        outcome
    }

    pub(crate) async fn append_reserved(&mut self, record: &[u8]) -> Result<Position, AppendError> {
        self.log.append_reserved(record.to_vec(), 0).map_err(|(error, _)| error)?;
        self.committed.next().await.unwrap().remove(0).1
    }

    /// Appends without waiting.
    pub(crate) fn enqueue(&mut self, record: &[u8]) -> Result<(), AppendError> {
        let token = self.next_token;
        match self.log.append(record.to_vec(), token) {
            Ok(()) => {
                self.next_token += 1;
                Ok(())
            }
            Err((error, given_back)) => {
                assert_eq!(given_back, token);
                Err(error)
            }
        }
    }

    pub(crate) async fn close(mut self) {
        let log = self.log.clone();
        let closing = async move { log.close().await };
        let draining = async { while self.committed.next().await.is_some() {} };
        futures_util::future::join(closing, draining).await;
    }

    /// The value of a metric without labels.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.registry.encode(Format::Prometheus);
        let line = text.lines().find(|line| line.split(' ').next() == Some(name));
        line.and_then(|line| line.split(' ').nth(1))
            .unwrap_or_else(|| panic!("{name}\n{text}"))
            .parse()
            .unwrap()
    }
}

/// All files of a directory.
pub(crate) fn files(dir: &SimDir) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for name in dir.list().unwrap() {
        let file = dir.open(&name).unwrap();
        let mut bytes = vec![0; file.size().unwrap() as usize];
        file.read_at(0, &mut bytes).unwrap();
        files.push((name.to_string(), bytes));
    }
    files
}

pub(crate) fn directory(files: &[(String, Vec<u8>)]) -> SimDir {
    let dir = SimDir::new(0);
    for (name, bytes) in files {
        let mut file = dir.create(&name.parse().unwrap()).unwrap();
        file.append(bytes).unwrap();
        file.sync().unwrap();
    }
    dir.sync().unwrap();
    dir
}
