//! A tenant's pushes wait a little while its rows come faster than they can be cut.
//!
//! Without it, all rows of a fast tenant that come during a cut pile up in memory, and the more there are the
//! longer the next cut takes. The more there are already, the longer a push waits: all are slowed down, and
//! none is stopped for as long as a cut takes.

use std::time::Duration;

use futures_util::future::{Either, select};
use larch_runtime::Env;

use crate::cut::CUT_BYTES;
use crate::shelf::Holdings;
use crate::tenant::Tenant;

/// A push that waits goes on after that: whoever sends it should hear within a second, and what memory may
/// hold in all has a bound of its own.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// Rows that may come freely while others are cut, and those from which on pushes wait longest.
const FREE_BYTES: usize = CUT_BYTES / 8;
const MOST_BYTES: usize = CUT_BYTES / 2;

/// # Cancel safety
/// It only waits.
pub(crate) async fn wait_for_cuts(env: &Env, tenant: &Tenant) {
    let wait = wait_of(&tenant.shelf.holdings());
    if wait.is_zero() {
        return;
    }
    let mut deadline = std::pin::pin!(env.sleep(wait));
    loop {
        let cut = tenant.cut_done.notified();
        let mut cut = std::pin::pin!(cut);
        // From here on no cut that ends is missed.
        cut.as_mut().enable();
        if wait_of(&tenant.shelf.holdings()).is_zero() {
            return;
        }
        if let Either::Right(_) = select(cut, &mut deadline).await {
            return;
        }
    }
}

/// How long a push waits, if rows are being cut, for what has come since.
fn wait_of(held: &Holdings) -> Duration {
    if held.cuts == 0 {
        return Duration::ZERO;
    }
    // Rows of few bytes count by what they take in memory, which is twice their bytes for usual ones at most.
    let bytes = held.raw_bytes.max(held.arena_bytes / 2);
    let above = bytes.saturating_sub(FREE_BYTES).min(MOST_BYTES - FREE_BYTES);
    LONGEST_WAIT.mul_f64(above as f64 / (MOST_BYTES - FREE_BYTES) as f64)
}

#[cfg(test)]
mod tests {
    use larch_proto::WalPosition;
    use larch_segment::Spares;
    use larch_testkit::sim::run;
    use larch_types::{Monotonic, TenantId};

    use super::*;
    use crate::tail::Feeds;
    use crate::testing::push;

    /// A tenant with one cut on its way and enough for half another.
    fn tenant_that_is_behind() -> Tenant {
        let tenant = Tenant::new("t".parse::<TenantId>().unwrap(), Spares::default(), Feeds::default());
        // With the metadata that it gets, a megabyte.
        let line = "x".repeat((1 << 20) - 8);
        let wait = || wait_of(&tenant.shelf.holdings());
        for number in 0..98 {
            let request = push(number as u128, &[("{app=\"a\"}", number, line.as_str())]);
            tenant
                .apply(&request, WalPosition(number as u64 + 1), Monotonic::from_start(Duration::ZERO))
                .unwrap();
            match number {
                64 => {
                    assert!(wait().is_zero(), "nothing is being cut");
                    tenant.shelf.begin_cut();
                }
                72 => assert!(wait().is_zero(), "a few may come freely"),
                84 => assert_eq!(wait(), LONGEST_WAIT / 2),
                _ => {}
            }
        }
        assert_eq!(wait(), LONGEST_WAIT);
        tenant
    }

    #[test]
    fn pushes_wait_for_a_cut_and_not_for_ever() {
        run(1, |world| async move {
            let tenant = tenant_that_is_behind();
            let since = || world.env.clock.monotonic();
            let begun = since();
            wait_for_cuts(&world.env, &tenant).await;
            assert_eq!(since().since(begun), LONGEST_WAIT);

            let begun = since();
            let finish = async {
                world.env.sleep(Duration::from_millis(100)).await;
                tenant.shelf.finish_cut(Vec::new(), Some(WalPosition(99)));
                tenant.cut_done.notify_waiters();
            };
            futures_util::future::join(wait_for_cuts(&world.env, &tenant), finish).await;
            assert_eq!(since().since(begun), Duration::from_millis(100));
            wait_for_cuts(&world.env, &tenant).await;
            assert_eq!(since().since(begun), Duration::from_millis(100), "nobody waits now");
        });
    }
}
