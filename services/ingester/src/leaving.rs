//! What a node that leaves has still to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::node::Node;

/// What is not in the store yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    /// In memory.
    pub(crate) rows: u64,
    /// Segment files that are not announced.
    pub(crate) files: usize,
    /// On their way through the log.
    pub(crate) pushes: usize,
}

impl Left {
    pub(crate) fn of(node: &Node) -> Self {
        // Pushes first: their rows are counted, or they are.
        let mut left = Self { rows: 0, files: 0, pushes: node.pushes.count() };
        for tenant in node.tenants.all() {
            let held = tenant.shelf.holdings();
            left.rows += held.rows;
            left.files += held.files;
        }
        left
    }

    pub(crate) fn is_nothing(self) -> bool {
        self.rows == 0 && self.files == 0 && self.pushes == 0
    }
}

/// How many pushes there are between the question whether they may come in and their rows in memory.
#[derive(Debug, Default)]
pub(crate) struct Pushes(Arc<AtomicUsize>);

/// One of them. It may outlive whoever pushed.
#[derive(Debug)]
pub(crate) struct OnItsWay(Arc<AtomicUsize>);

impl Pushes {
    /// Counts one, before it is asked whether it may come in: whoever says that none may and then finds none here
    /// will see no other.
    pub(crate) fn begin(&self) -> OnItsWay {
        self.0.fetch_add(1, Ordering::SeqCst);
        OnItsWay(Arc::clone(&self.0))
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
