//! Folding over a store that refuses.

use std::sync::Arc;

use larch_proto::SegmentEntry;
use larch_store::{Backing, MAX_UNFOLDED, NewSegment, Store, StoreOptions};
use larch_telemetry::{Format, Registry};
use larch_testkit::sim::{World, run};
use larch_types::{NodeId, SegmentId, Timestamp};

use super::*;

fn entry(id: u128) -> SegmentEntry {
    SegmentEntry {
        id: SegmentId::from_u128(id),
        partition: Partition::Wide,
        first: Timestamp::EPOCH,
        last: Timestamp::EPOCH,
        rows: 1,
        raw_bytes: 1,
        uploader: NodeId::from_u128(1),
        object_bytes: 100,
        footer_offset: 50,
        footer_bytes: 50,
        embedded: None,
        label_summaries: Vec::new(),
        tombstones_applied: Vec::new(),
    }
}

#[test]
fn what_failed_is_not_tried_by_every_plan() {
    run(1, async |world: World| {
        let (env, registry) = (&world.env, Registry::default());
        let backing = Backing::other(Arc::new(world.store.clone()));
        let store = Store::new(backing, StoreOptions::default(), env.clone(), &registry);
        let catalog = Catalog::new(store, env.clone(), &registry);
        let (folding, metrics) = (Folding::default(), Metrics::new(&registry));
        let tenant: TenantId = "t".parse().unwrap();
        for id in 0..=MAX_UNFOLDED as u128 {
            let new = vec![NewSegment { entry: entry(id), carried: None }];
            let last = env.clock.monotonic().plus(AFTER_FAILURE);
            catalog.add(&tenant, Partition::Wide, catalog.new_fact_id(), new, last).await.unwrap();
        }
        catalog.view(&tenant, Partition::Wide, Duration::ZERO).await.unwrap();
        let folds = async |result: &str| {
            folding.ask(&tenant, Partition::Wide, env.clock.monotonic());
            folding.fold_waiting(&catalog, env, &metrics).await;
            let text = registry.encode(Format::Prometheus);
            let name = format!("larch_planner_catalog_folds_total{{result=\"{result}\"}} ");
            text.lines().find_map(|line| line.strip_prefix(&name)?.parse::<f64>().ok())
        };
        world.store.refuse(1000);
        assert_eq!(folds("failed").await, Some(1.0));
        assert_eq!(folds("failed").await, Some(1.0), "it waits");
        world.store.refuse(0);
        assert_eq!(folds("written").await, None, "it waits still");
        env.sleep(AFTER_FAILURE).await;
        assert_eq!(folds("written").await, Some(1.0));
    });
}
