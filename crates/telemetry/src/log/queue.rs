//! A bounded queue of lines and the thread that writes them.
//!
//! Whoever reads our standard error may stop reading. Writing to it then blocks for ever, so it is done by
//! a thread that nobody waits for. When it falls behind, lines are dropped and counted; the next line that
//! is written says how many.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Some ten thousand lines of usual length: more than a start or a storm of errors writes while its
/// reader is busy, and little beside what a process otherwise holds.
const MAX_QUEUED_BYTES: usize = 4 * 1024 * 1024;

/// Writes the line that tells of dropped ones.
pub(crate) type TellDropped = Box<dyn Fn(u64) -> String + Send>;

/// Clones fill the same queue.
#[derive(Clone)]
pub(crate) struct Queue(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    filled: Condvar,
    emptied: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<String>,
    bytes: usize,
    dropped: u64,
    writing: bool,
}

impl Queue {
    /// Starts the thread. It ends with the process: the subscriber that feeds it is never taken down.
    pub(crate) fn start(out: impl Write + Send + 'static, tell_dropped: TellDropped) -> io::Result<Self> {
        let shared =
            Shared { state: Mutex::new(State::default()), filled: Condvar::new(), emptied: Condvar::new() };
        let queue = Self(Arc::new(shared));
        let writer = queue.clone();
        thread::Builder::new().name("log".to_owned()).spawn(move || writer.write_all(out, &tell_dropped))?;
        Ok(queue)
    }

    /// Never waits for the writing. False if the line was dropped.
    pub(crate) fn push(&self, line: String) -> bool {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.bytes + line.len() > MAX_QUEUED_BYTES {
            state.dropped += 1;
            return false;
        }
        state.bytes += line.len();
        state.lines.push_back(line);
        self.0.filled.notify_one();
        true
    }

    /// Waits until everything is written, at most as long as the budget. False if that was too short.
    pub(crate) fn flush(&self, budget: Duration) -> bool {
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let busy = |state: &mut State| state.writing || !state.lines.is_empty();
        let waited = self.0.emptied.wait_timeout_while(state, budget, busy);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn write_all(&self, mut out: impl Write, tell_dropped: &TellDropped) {
        loop {
            let (line, dropped) = self.next();
            if dropped > 0 {
                write_line(&mut out, &tell_dropped(dropped));
            }
            write_line(&mut out, &line);
        }
    }

    fn next(&self) -> (String, u64) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.writing = false;
        loop {
            if let Some(line) = state.lines.pop_front() {
                state.bytes -= line.len();
                state.writing = true;
                return (line, std::mem::take(&mut state.dropped));
            }
            self.0.emptied.notify_all();
            state = self.0.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A line that cannot be written has nowhere else to go: standard error is where failures are told.
pub(crate) fn write_line(out: &mut impl Write, line: &str) {
    out.write_all(line.as_bytes()).ok();
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Waits for a permit before every write, and passes on what is written.
    struct Gated {
        permits: mpsc::Receiver<()>,
        written: mpsc::SyncSender<String>,
    }

    impl Write for Gated {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.permits.recv().map_err(io::Error::other)?;
            let text = String::from_utf8_lossy(bytes).into_owned();
            self.written.send(text).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stops_costs_lines_and_never_time() {
        let (permit, permits) = mpsc::sync_channel(64);
        let (written, lines) = mpsc::sync_channel(64);
        let tell = Box::new(|count| format!("dropped {count}\n"));
        let queue = Queue::start(Gated { permits, written }, tell).unwrap();
        assert!(queue.push("first\n".to_owned()));
        permit.send(()).unwrap();
        assert_eq!(lines.recv().unwrap(), "first\n");
        // Nobody reads any more: the thread may hold one line, the queue four, and the rest is dropped.
        let big = "x".repeat(MAX_QUEUED_BYTES / 4);
        let kept = (0..10).filter(|_| queue.push(big.clone())).count();
        assert!((4..=5).contains(&kept), "{kept}");
        assert!(!queue.flush(Duration::ZERO));
        (0..64).for_each(|_| permit.send(()).unwrap());
        assert!(queue.flush(Duration::from_secs(60)));
        let read: Vec<String> = lines.try_iter().collect();
        assert_eq!(read.iter().filter(|line| **line == big).count(), kept);
        // What was dropped is told behind it; twice, if the thread took a line between two drops.
        let told = read.iter().filter_map(|line| line.strip_prefix("dropped "));
        assert_eq!(told.map(|count| count.trim_end().parse::<usize>().unwrap()).sum::<usize>(), 10 - kept);
    }

    #[test]
    fn lines_of_many_threads_stay_whole() {
        let (written, lines) = mpsc::sync_channel(1000);
        let (permit, permits) = mpsc::sync_channel(1000);
        let queue = Queue::start(Gated { permits, written }, Box::new(|_| String::new())).unwrap();
        thread::scope(|scope| {
            for thread in 0..4 {
                let queue = &queue;
                scope.spawn(move || {
                    (0..100).for_each(|index| assert!(queue.push(format!("{thread} {index}\n"))))
                });
            }
        });
        (0..400).for_each(|_| permit.send(()).unwrap());
        assert!(queue.flush(Duration::from_secs(60)));
        let mut next = [0; 4];
        for line in lines.try_iter() {
            let (thread, index) = line.trim_end().split_once(' ').unwrap();
            let thread: usize = thread.parse().unwrap();
            assert_eq!(index.parse(), Ok(next[thread]));
            next[thread] += 1;
        }
        assert_eq!(next, [100; 4]);
    }
}
