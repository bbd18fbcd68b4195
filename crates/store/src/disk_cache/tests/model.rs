//! Random histories against a map.

use std::collections::BTreeSet;

use larch_testkit::sim::SimDir;
use larch_wal::Dir;
use proptest::prelude::*;

use super::super::index::on_disk;
use super::super::state::Bounds;
use super::{Admission, House, Id, SMALL, files};

#[derive(Debug, Clone)]
enum Step {
    Offer(Id, bool),
    Idle,
    Read(Id),
    Forget(Id),
    Stop,
    PowerCut,
    LowerBounds(bool),
}

fn id() -> impl Strategy<Value = Id> {
    // Some are larger than a slab.
    let length = prop_oneof![20 => 1..3000_u64, 1 => 16_000..17_000_u64];
    (1..3_u8, 1..4_u8, 0..6_u64, length).prop_map(|(tenant, segment, place, length)| {
        // The same place has the same length nearly always.
        Id::new(tenant, segment, place * 20_000, if length < 2500 { 100 + place * 500 } else { length })
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (id(), any::<bool>()).prop_map(|(id, at_once)| Step::Offer(id, at_once)),
        6 => Just(Step::Idle),
        12 => id().prop_map(Step::Read),
        2 => id().prop_map(Step::Forget),
        1 => Just(Step::Stop),
        1 => Just(Step::PowerCut),
        1 => any::<bool>().prop_map(Step::LowerBounds),
    ]
}

struct Model {
    dir: SimDir,
    house: House,
    bounds: Bounds,
    /// Forgotten and not offered since.
    forgotten: BTreeSet<Id>,
    /// Written, with nothing evicted since.
    certain: BTreeSet<Id>,
    offered_at_once: BTreeSet<Id>,
    evictions: u64,
}

impl Model {
    async fn new() -> Self {
        let dir = SimDir::new(1);
        let house = House::open(SMALL, &dir).await;
        let (forgotten, certain, offered_at_once) = Default::default();
        Self { dir, house, bounds: SMALL, forgotten, certain, offered_at_once, evictions: 0 }
    }

    async fn restart(&mut self, house: House) {
        house.stop().await;
        self.house = House::open(self.bounds, &self.dir).await;
        self.evictions = 0;
        if self.house.metric("evictions_total") > 0 {
            self.certain.clear();
        }
    }

    async fn step(mut self, step: &Step) -> Self {
        match *step {
            Step::Offer(id, at_once) => {
                self.forgotten.remove(&id);
                self.house.offer(id, if at_once { Admission::AtOnce } else { Admission::SecondTime });
                if at_once && id.length < 16_000 {
                    self.offered_at_once.insert(id);
                }
            }
            Step::Idle => {
                self.house.idle().await;
                self.certain.append(&mut self.offered_at_once);
            }
            Step::Read(id) => {
                let is_there = self.house.has(id).await;
                assert!(!(is_there && self.forgotten.contains(&id)), "{id:?} was forgotten");
                let evicted = self.house.metric("evictions_total");
                if evicted > self.evictions {
                    self.evictions = evicted;
                    self.certain.clear();
                    self.offered_at_once.clear();
                }
                assert!(is_there || !self.certain.contains(&id), "{id:?} is lost");
            }
            Step::Forget(id) => {
                self.house.forget(id);
                self.forgotten.insert(id);
                self.certain.remove(&id);
                self.offered_at_once.remove(&id);
            }
            Step::Stop => {
                let (house, next) = (self.house, House::open(SMALL, &SimDir::new(2)).await);
                self.house = next;
                self.restart(house).await;
                // What waited was written.
                self.certain.append(&mut self.offered_at_once);
                let evicted = self.house.metric("evictions_total");
                if evicted > 0 {
                    self.certain.clear();
                }
            }
            Step::PowerCut => {
                // Names survive and files are torn; without this nothing is left, which is easier.
                self.dir.sync().unwrap();
                self.dir.power_cut();
                let (house, next) = (self.house, House::open(SMALL, &SimDir::new(2)).await);
                self.house = next;
                self.restart(house).await;
                self.certain.clear();
                self.offered_at_once.clear();
                // Nothing was promised of what was crossed out and not synced.
                self.forgotten.clear();
            }
            Step::LowerBounds(lower) => {
                self.bounds.bytes = if lower { 100 << 10 } else { SMALL.bytes };
                self.bounds.entries = if lower { 20 } else { SMALL.entries };
            }
        }
        self.check_bounds();
        self
    }

    fn check_bounds(&self) {
        let shared = self.house.cache.opened.get().unwrap();
        let state = shared.state();
        let bounds = &shared.bounds;
        assert!(state.index.entries() <= bounds.entries);
        let on_disk: u64 = files(&self.dir).values().map(|bytes| on_disk(bytes.len() as u64)).sum();
        // The file that is written to has no table yet, so that it is smaller than it counts.
        assert!(on_disk <= state.index.bytes() && state.index.bytes() <= bounds.bytes, "{on_disk}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn reads_are_right_and_bounds_are_kept(steps in prop::collection::vec(step(), 1..150)) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut model = Model::new().await;
            for step in &steps {
                model = model.step(step).await;
            }
        });
    }
}
