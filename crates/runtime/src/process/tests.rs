//! Start, readiness and stop of a few small modules under a paused clock.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::*;

type Journal = Arc<Mutex<Vec<String>>>;

/// Writes down what is asked of it.
struct Recorder {
    name: &'static str,
    journal: Journal,
    fails: bool,
    slow_stage: Option<Stage>,
    unready: Option<&'static str>,
}

impl Recorder {
    fn note(&self, what: &str) {
        self.journal.lock().unwrap().push(format!("{} {what}", self.name));
    }
}

impl Module for Recorder {
    fn name(&self) -> &'static str {
        self.name
    }

    fn start<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<(), StartError>> {
        Box::pin(async move {
            self.note("start");
            let inner = scope.clone();
            scope.spawn(self.name, async move { inner.cancelled().await });
            if self.fails { Err(StartError::new("no disk")) } else { Ok(()) }
        })
    }

    fn unready(&self) -> Option<String> {
        self.unready.map(str::to_owned)
    }

    fn stop(&self, stage: Stage) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.note(stage.name());
            if self.slow_stage == Some(stage) {
                std::future::pending::<()>().await;
            }
        })
    }
}

const BUDGETS: Budgets = Budgets {
    refuse: Duration::from_secs(1),
    drain: Duration::from_secs(2),
    cut: Duration::from_secs(3),
    leave: Duration::from_secs(1),
    close: Duration::from_secs(1),
};

fn recorder(name: &'static str, journal: &Journal) -> Recorder {
    Recorder { name, journal: Arc::clone(journal), fails: false, slow_stage: None, unready: None }
}

fn process(modules: Vec<Recorder>) -> Process {
    let process = Process::new(Env::system());
    for module in modules {
        process.add(Arc::new(module));
    }
    process
}

#[tokio::test(start_paused = true)]
async fn starts_in_order_and_stops_stage_by_stage_backwards() {
    let journal = Journal::default();
    let process = process(vec![recorder("store", &journal), recorder("http", &journal)]);
    assert_eq!(process.readiness(), Err("Some services are not Running:\nNew: 2".to_owned()));
    process.start().await.unwrap();
    assert_eq!(process.readiness(), Ok(()));
    process.stop(&BUDGETS).await;
    assert_eq!(process.readiness(), Err("Application is stopping".to_owned()));
    let want = "store start, http start, http refuse, store refuse, http drain, store drain, http cut, \
                store cut, http leave, store leave, http close, store close";
    assert_eq!(journal.lock().unwrap().join(", "), want);
    assert_eq!(process.states(), [("store", State::Terminated), ("http", State::Terminated)]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_start_names_itself_and_stops_what_ran() {
    let journal = Journal::default();
    let broken = Recorder { fails: true, ..recorder("wal", &journal) };
    let process = process(vec![recorder("store", &journal), broken, recorder("http", &journal)]);
    assert_eq!(process.start().await.unwrap_err().to_string(), "no disk");
    assert_eq!(process.readiness(), Err("Some services are not Running:\nNew: 1\nFailed: 1".to_owned()));
    process.stop(&BUDGETS).await;
    let states = [("store", State::Terminated), ("wal", State::Failed), ("http", State::New)];
    assert_eq!(process.states(), states);
    assert!(!journal.lock().unwrap().iter().any(|line| line.starts_with("http")));
}

#[tokio::test(start_paused = true)]
async fn a_late_stage_is_left_behind() {
    let journal = Journal::default();
    let stuck = Recorder { slow_stage: Some(Stage::Cut), ..recorder("ingester", &journal) };
    let process = process(vec![stuck]);
    process.start().await.unwrap();
    let begun = tokio::time::Instant::now();
    process.stop(&BUDGETS).await;
    assert_eq!(begun.elapsed().as_secs(), 3, "the budget of the cut and no more");
    assert_eq!(process.states(), [("ingester", State::Terminated)]);
}

#[tokio::test(start_paused = true)]
async fn a_module_can_be_up_and_not_ready() {
    let journal = Journal::default();
    let joining = Recorder { unready: Some("Ingester not ready: joining"), ..recorder("ingester", &journal) };
    let process = process(vec![joining]);
    process.start().await.unwrap();
    assert_eq!(process.readiness(), Err("Ingester not ready: joining".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_task_fails_the_process() {
    struct Clumsy;
    impl Module for Clumsy {
        fn name(&self) -> &'static str {
            "clumsy"
        }
        fn start<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<(), StartError>> {
            Box::pin(async move {
                scope.spawn("worker", async { panic!("oops") });
                Ok(())
            })
        }
    }
    let process = Process::new(Env::system());
    process.add(Arc::new(Clumsy));
    process.start().await.unwrap();
    assert_eq!(process.failed().await.to_string(), "task worker panicked: oops");
}
