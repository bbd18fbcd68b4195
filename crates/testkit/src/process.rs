//! A built binary under test: started, waited for, asked, told to stop.
//!
//! It is waited for by what it says, never by time; a deadline only ends a test that would hang.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};

use rustix::process::{Pid, Signal, kill_process};

use crate::http::{Answer, Client, DEADLINE};

/// Lines that may wait to be looked at; a process that says more is held up until they are.
const PENDING_LINES: usize = 100_000;

/// A running process. It is killed when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    /// What it has said so far, as far as it was looked at.
    pub log: Vec<String>,
    address: SocketAddr,
}

impl Running {
    /// Starts a command that serves HTTP, and waits until it does. Its log must be logfmt, which is the
    /// default.
    pub fn start(mut command: Command) -> Self {
        let mut child =
            command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("start the binary");
        let stderr = child.stderr.take().expect("standard error was asked for");
        let lines = read_lines(stderr);
        let mut running =
            Self { child, lines, log: Vec::new(), address: SocketAddr::from(([0, 0, 0, 0], 0)) };
        let line = running.wait_for_line("serving HTTP");
        let address = line.split(' ').find_map(|field| field.strip_prefix("address="));
        running.address = address.and_then(|text| text.parse().ok()).expect("the line names the address");
        running
    }

    /// Where it serves HTTP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it has said a line that holds the text, and gives the line.
    pub fn wait_for_line(&mut self, text: &str) -> String {
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) => {
                    self.log.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("never said {text:?}:\n{}", self.log.join("\n")),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("ended without saying {text:?}:\n{}", self.log.join("\n"))
                }
            }
        }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "")
    }

    /// A connection of its own, which is kept from request to request.
    pub fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// One request on a connection of its own.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut all = vec![("connection", "close")];
        all.extend_from_slice(headers);
        match self.client().send(method, path, &all, body.as_bytes()) {
            Ok(answer) => answer,
            Err(error) => {
                let said: Vec<String> = self.log.iter().cloned().chain(self.lines.try_iter()).collect();
                panic!("{method} {path}: {error}; the process has said:\n{}", said.join("\n"))
            }
        }
    }

    /// Asks until the answer is as wanted: for what happens by itself in bounded time.
    pub fn get_until(&self, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
        // Each round waits a little; together they make the deadline.
        const ROUNDS: u32 = 1200;
        let mut answer = self.get(path);
        for _ in 0..ROUNDS {
            if wanted(&answer) {
                return answer;
            }
            std::thread::park_timeout(DEADLINE / ROUNDS);
            answer = self.get(path);
        }
        panic!("{path} never answered as wanted, at last: {answer:?}")
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("send a signal");
    }

    /// The most memory that it has held so far, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("read the state of the process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line for its peak");
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib * 1024
    }

    /// Ends it at once, as a power cut would but for the disk, and waits until it is gone.
    pub fn kill(mut self) {
        self.signal(Signal::KILL);
        self.wait();
    }

    /// Tells it to stop, waits for its end, and gives its exit status with all that it said. An error in
    /// its log fails the test.
    pub fn stop(mut self) -> (ExitStatus, Vec<String>) {
        self.signal(Signal::TERM);
        let (status, log) = self.wait();
        let errors: Vec<&String> = log.iter().filter(|line| line.contains(" level=error ")).collect();
        assert!(errors.is_empty(), "errors in the log: {errors:#?}");
        (status, log)
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> (ExitStatus, Vec<String>) {
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) => self.log.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("does not end:\n{}", self.log.join("\n")),
            }
        }
        let status = self.child.wait().expect("the exit status");
        (status, std::mem::take(&mut self.log))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[expect(clippy::disallowed_methods, reason = "a pipe is read by a thread of its own, which ends with it")]
fn read_lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = sync_channel(PENDING_LINES);
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A command for a binary that lies beside the running test, as the tests of a package of their own
/// need it.
pub fn built(name: &str) -> Command {
    let test = std::env::current_exe().expect("the path of this test");
    let mut folder = PathBuf::from(test.parent().expect("a folder"));
    if folder.ends_with("deps") {
        folder.pop();
    }
    let path = folder.join(name);
    assert!(path.is_file(), "{} is not built: run `cargo build --workspace`", path.display());
    Command::new(path)
}

/// A command that reads a configuration and writes below a folder only, on free ports of loopback.
pub fn configured(mut command: Command, folder: &std::path::Path, configuration: &str) -> Command {
    let file = folder.join("larch.yaml");
    std::fs::write(&file, configuration).expect("write the configuration");
    command.current_dir(folder).env_clear().arg("-config.file=larch.yaml").args([
        "-server.http-listen-address=127.0.0.1",
        "-server.http-listen-port=0",
        "-server.grpc-listen-address=127.0.0.1",
        "-server.grpc-listen-port=0",
    ]);
    command
}
