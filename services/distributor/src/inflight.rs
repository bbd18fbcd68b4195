//! How many bytes of pushes are in the process, and how many may be.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larch_telemetry::{Registry, Spec};

/// Bytes of all pushes at a time. Cheap to clone; all clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Inflight(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bound: u64,
    used: AtomicU64,
}

const INFLIGHT: Spec<0> = Spec {
    name: "larch_distributor_inflight_bytes",
    help: "Bytes of pushes that are being worked on, compressed or decompressed as they are held.",
    labels: [],
};

/// The bound where none is set. A push of the largest size may come to twice as much once decompressed; a
/// few of these at a time must not take all memory there is.
const DEFAULT_BOUND: u64 = 1 << 30;

/// The bound is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// The bytes of one push. They count until this is dropped.
#[derive(Debug)]
pub(crate) struct HeldBytes {
    inflight: Inflight,
    bytes: u64,
}

impl Inflight {
    /// A bound of 0 stands for the default.
    pub(crate) fn new(bound: u64, metrics: &Registry) -> Self {
        let bound = if bound == 0 { DEFAULT_BOUND } else { bound };
        let inflight = Self(Arc::new(Inner { bound, used: AtomicU64::new(0) }));
        let shown = inflight.clone();
        metrics.gauge_fn(INFLIGHT, move || vec![([], shown.0.used.load(Ordering::Relaxed) as f64)]);
        inflight
    }

    pub(crate) fn hold(&self) -> HeldBytes {
        HeldBytes { inflight: self.clone(), bytes: 0 }
    }
}

impl HeldBytes {
    /// Counts more bytes, before memory is taken for them. A push that is alone is not held against the
    /// bound: its own limits allow it, and it would otherwise never pass.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        let bytes = bytes as u64;
        let Inner { bound, used } = &*self.inflight.0;
        let before = used.fetch_add(bytes, Ordering::Relaxed);
        let is_alone = before == self.bytes;
        if !is_alone && before.saturating_add(bytes) > *bound {
            used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Full);
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Counts bytes no longer, once their memory is given back.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        let bytes = (bytes as u64).min(self.bytes);
        self.inflight.0.used.fetch_sub(bytes, Ordering::Relaxed);
        self.bytes -= bytes;
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        self.inflight.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_count_until_they_are_dropped() {
        let inflight = Inflight::new(10, &Registry::default());
        let mut first = inflight.hold();
        let mut second = inflight.hold();
        assert_eq!(first.grow(7), Ok(()));
        assert_eq!(second.grow(4), Err(Full));
        assert_eq!(second.grow(3), Ok(()));
        first.shrink(2);
        assert_eq!(second.grow(2), Ok(()));
        drop(first);
        let mut third = inflight.hold();
        assert_eq!(third.grow(6), Err(Full));
        assert_eq!(third.grow(5), Ok(()));
        drop((second, third));
        assert_eq!(inflight.0.used.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn who_is_alone_may_be_larger() {
        let inflight = Inflight::new(10, &Registry::default());
        let mut large = inflight.hold();
        let mut small = inflight.hold();
        assert_eq!(large.grow(6), Ok(()));
        assert_eq!(large.grow(20), Ok(()));
        assert_eq!(small.grow(1), Err(Full));
        assert_eq!(large.grow(20), Ok(()));
        large.shrink(40);
        assert_eq!(small.grow(1), Ok(()));
        assert_eq!(large.grow(20), Err(Full), "another came in");
        drop(small);
        assert_eq!(large.grow(20), Ok(()));
    }

    #[test]
    fn zero_stands_for_the_default() {
        let inflight = Inflight::new(0, &Registry::default());
        let (mut one, mut other) = (inflight.hold(), inflight.hold());
        assert_eq!(one.grow(1), Ok(()));
        assert_eq!(other.grow(1 << 30), Err(Full));
        assert_eq!(other.grow((1 << 30) - 1), Ok(()));
    }
}
