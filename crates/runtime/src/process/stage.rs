//! The order in which a process stops.

use std::time::Duration;

/// Every module goes through these in turn; the whole process finishes one before it begins the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Take no new work: data requests get 503, `/ready` says so.
    Refuse,
    /// Finish the requests that are in.
    Drain,
    /// Make durable elsewhere what only this process holds.
    Cut,
    /// Tell the others that this process is gone.
    Leave,
    /// Stop background work and close the listeners, the operational pages last.
    Close,
}

impl Stage {
    pub const ALL: [Self; 5] = [Self::Refuse, Self::Drain, Self::Cut, Self::Leave, Self::Close];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Drain => "drain",
            Self::Cut => "cut",
            Self::Leave => "leave",
            Self::Close => "close",
        }
    }
}

/// How long each stage may take. A stage that is late is left behind, named in the log.
#[derive(Debug, Clone, Copy)]
pub struct Budgets {
    pub refuse: Duration,
    pub drain: Duration,
    pub cut: Duration,
    pub leave: Duration,
    pub close: Duration,
}

impl Budgets {
    pub const fn of(&self, stage: Stage) -> Duration {
        match stage {
            Stage::Refuse => self.refuse,
            Stage::Drain => self.drain,
            Stage::Cut => self.cut,
            Stage::Leave => self.leave,
            Stage::Close => self.close,
        }
    }
}
