//! Power that is cut at any call to the disk, many times in the life of a log, against a model.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larch_runtime::Random;
use larch_testkit::sim::{SimDir, World, run};
use larch_wal::{
    AppendError, Committed, Dir, DirFile, DirLock, FileName, LockError, Log, LogSettings, Position, Space,
    SyncMode,
};

use crate::support::{read, recover};

/// Cuts the power at one of the next calls.
#[derive(Debug, Clone)]
pub(crate) struct Fused {
    dir: SimDir,
    left: Arc<AtomicU64>,
}

impl Fused {
    pub(crate) fn new(dir: &SimDir, calls: u64) -> Self {
        Self { dir: dir.clone(), left: Arc::new(AtomicU64::new(calls)) }
    }

    fn burn(&self) -> io::Result<()> {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        if left == 1 {
            self.dir.power_cut();
        }
        if left <= 1 { Err(io::Error::other("simulated: power was cut")) } else { Ok(()) }
    }

    fn is_burnt(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }
}

impl Dir for Fused {
    fn blocks(&self) -> bool {
        false
    }

    fn lock(&self) -> Result<Box<dyn DirLock>, LockError> {
        self.dir.lock()
    }

    fn list(&self) -> io::Result<Vec<FileName>> {
        self.dir.list()
    }

    fn create(&self, name: &FileName) -> io::Result<Box<dyn DirFile>> {
        self.burn()?;
        Ok(Box::new(FusedFile { file: self.dir.create(name)?, fuse: self.clone() }))
    }

    fn open(&self, name: &FileName) -> io::Result<Box<dyn DirFile>> {
        Ok(Box::new(FusedFile { file: self.dir.open(name)?, fuse: self.clone() }))
    }

    fn rename(&self, from: &FileName, to: &FileName) -> io::Result<()> {
        self.burn()?;
        self.dir.rename(from, to)
    }

    fn remove(&self, name: &FileName) -> io::Result<()> {
        self.burn()?;
        self.dir.remove(name)
    }

    fn sync(&self) -> io::Result<()> {
        self.burn()?;
        self.dir.sync()
    }

    fn space(&self) -> io::Result<Space> {
        self.dir.space()
    }
}

#[derive(Debug)]
struct FusedFile {
    file: Box<dyn DirFile>,
    fuse: Fused,
}

impl DirFile for FusedFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.fuse.burn()?;
        self.file.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.fuse.burn()?;
        self.file.sync()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buffer)
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
}

/// What is known of a log from outside.
#[derive(Debug, Default)]
struct Model {
    submitted: u64,
    /// By position: the record, and whether it must be there from now on.
    known: BTreeMap<u64, (Vec<u8>, bool)>,
    released: u64,
    /// Syncs were made to fail, so that what was read back but never answered may vanish.
    lying: bool,
    lost: u64,
}

/// The number of the submission, and bytes that follow from it.
fn record(id: u64, length: u64) -> Vec<u8> {
    let mut record = id.to_le_bytes().to_vec();
    record.resize(8 + length as usize, id as u8);
    record
}

fn id(record: &[u8]) -> u64 {
    u64::from_le_bytes(*record.first_chunk().unwrap())
}

impl Model {
    fn answered(&mut self, id: usize, position: Position, lengths: &[u64]) {
        let written = record(id as u64, lengths[id]);
        let before = self.known.insert(position.0, (written.clone(), true));
        assert!(before.is_none_or(|(known, _)| known == written), "position {position} is used twice");
    }

    /// Holds what was read back against what is known.
    fn check(&mut self, found: &[(u64, Vec<u8>)], lengths: &[u64]) {
        let mut last = None;
        for (position, bytes) in found {
            let id = id(bytes);
            assert!(id < self.submitted && *bytes == record(id, lengths[id as usize]), "never submitted");
            assert!(last.is_none_or(|last| last < (*position, id)), "order of positions");
            assert!(last.is_none_or(|(_, before)| before < id), "order of submission");
            last = Some((*position, id));
        }
        let found: BTreeMap<u64, &Vec<u8>> =
            found.iter().map(|(position, bytes)| (*position, bytes)).collect();
        for (position, (known, must)) in &mut self.known {
            match found.get(position) {
                Some(bytes) => assert_eq!(*bytes, known, "position {position} holds something else now"),
                None if *must && *position >= self.released => {
                    self.lost += 1;
                    *must = false;
                }
                None => {}
            }
        }
        for (position, bytes) in found {
            let must = !self.lying;
            let entry = self.known.entry(position).or_insert_with(|| (bytes.clone(), false));
            entry.1 |= must;
        }
    }
}

/// What happens to one log, and what that shows.
struct Life<'a> {
    model: &'a mut Model,
    lengths: &'a mut Vec<u64>,
    random: &'a Random,
    world: &'a World,
}

impl Life<'_> {
    /// One process, from its start to the loss of power or to its end.
    async fn run(&mut self, settings: LogSettings, fuse: Fused) {
        let env = &self.world.env;
        let Ok(mut recovery) = recover(Arc::new(fuse.clone()), settings, env) else { return };
        let mut found = Vec::new();
        let replayed = recovery.replay(|position, record| -> Result<(), std::fmt::Error> {
            found.push((position.0, record.to_vec()));
            Ok(())
        });
        if replayed.is_err() {
            return;
        }
        self.model.check(&found, self.lengths);
        let scope = larch_runtime::Scope::default();
        let (log, mut committed) = recovery.start::<usize>(&scope);
        while !fuse.is_burnt() && self.random.below(60) > 0 {
            self.step(&log, &mut committed).await;
        }
        if self.random.below(2) == 0 {
            scope.cancel();
            while let Some(outcomes) = committed.next().await {
                self.take(outcomes);
            }
        }
        drop(committed);
        scope.close(Duration::from_secs(1)).await.unwrap();
    }

    async fn step(&mut self, log: &Log<usize>, committed: &mut Committed<usize>) {
        let disk = &self.world.wal_dir;
        match self.random.below(20) {
            0 => self.world.env.sleep(Duration::from_millis(self.random.below(1500))).await,
            1 => {
                let known = self.model.known.keys().nth(self.random.below(50) as usize).copied();
                let before = known.unwrap_or(0).max(self.model.released);
                self.model.released = before;
                log.release(Position(before));
            }
            2 if self.random.below(4) == 0 => {
                self.model.lying = true;
                disk.fail_syncs(self.random.below(3) as u32);
            }
            3 if self.random.below(4) == 0 => {
                let used = disk.space().unwrap();
                disk.set_capacity(used.total - used.available + self.random.below(3000));
            }
            4 | 5 => disk.set_capacity(1 << 20),
            6..=10 => tokio::task::yield_now().await,
            11..=13 => {
                let next = tokio::time::timeout(Duration::from_millis(10), committed.next());
                if let Ok(Some(outcomes)) = next.await {
                    self.take(outcomes);
                }
            }
            _ => {
                let length = self.random.below(400);
                self.lengths.push(length);
                let id = self.model.submitted;
                self.model.submitted += 1;
                drop(log.append(record(id, length), id as usize));
            }
        }
    }

    fn take(&mut self, outcomes: Vec<(usize, Result<Position, AppendError>)>) {
        for (id, outcome) in outcomes {
            if let Ok(position) = outcome {
                self.model.answered(id, position, self.lengths);
            }
        }
    }
}

/// Several lives of one log. Gives what was answered, and how much of that was lost.
fn lives(seed: u64, sync: SyncMode) -> (u64, u64, Vec<u64>) {
    let (outcome, _) = run(seed, async |world| {
        let random = Random::from_seed(seed);
        let settings = LogSettings {
            sync,
            file_bytes: 200 + random.below(3000),
            full_threshold: 0.0,
            ..LogSettings::default()
        };
        let (mut model, mut lengths) = (Model::default(), Vec::new());
        for _ in 0..2 + random.below(4) {
            let fuse = Fused::new(&world.wal_dir, 1 + random.below(120));
            let mut life = Life { model: &mut model, lengths: &mut lengths, random: &random, world: &world };
            life.run(settings.clone(), fuse).await;
            world.wal_dir.set_capacity(1 << 20);
            world.wal_dir.fail_syncs(0);
            if random.below(2) == 0 {
                world.wal_dir.power_cut();
            }
        }
        let (found, replayed) = read(&world.wal_dir);
        if sync == SyncMode::Always && !model.lying {
            assert_eq!(replayed.corruptions, 0, "seed {seed}: a loss of power is no damage");
        }
        model.check(&found, &lengths);
        (model.known.len() as u64, model.lost, model.known.keys().copied().collect())
    });
    outcome
}

#[test]
fn nothing_that_was_answered_is_lost() {
    let mut answered = 0;
    for seed in 0..1000 {
        let (known, lost, _) = lives(seed, SyncMode::Always);
        assert_eq!(lost, 0, "seed {seed}");
        answered += known;
    }
    assert!(answered > 10_000, "the rounds are about something: {answered}");
}

#[test]
fn the_model_sees_what_is_lost_without_syncs() {
    let mut lost = [0, 0];
    for seed in 0..100 {
        lost[0] += lives(seed, SyncMode::Never).1;
        lost[1] += lives(seed, SyncMode::Interval(Duration::from_secs(1))).1;
    }
    assert!(lost[0] > 0 && lost[1] > 0, "{lost:?}");
}

#[test]
fn a_seed_gives_the_same_lives_again() {
    assert_eq!(lives(5, SyncMode::Always), lives(5, SyncMode::Always));
}

#[test]
fn a_hundred_crashes_leave_few_files() {
    run(1, async |world| {
        for round in 0..100 {
            let fuse = Fused::new(&world.wal_dir, 5 + round % 7);
            let Ok(mut recovery) = recover(Arc::new(fuse), LogSettings::default(), &world.env) else {
                continue;
            };
            let mut last = 0;
            let replayed = recovery.replay(|position, _| -> Result<(), std::fmt::Error> {
                last = position.0;
                Ok(())
            });
            let scope = larch_runtime::Scope::default();
            let (log, mut committed) = recovery.start::<usize>(&scope);
            if replayed.is_ok() {
                log.release(Position(last + 1));
            }
            for _ in 0..5 {
                drop(log.append(vec![1; 100], 0));
                drop(committed.next().await);
            }
            drop(committed);
            scope.close(Duration::from_secs(1)).await.unwrap();
            world.wal_dir.power_cut();
            assert!(world.wal_dir.list().unwrap().len() < 8);
        }
    });
}
