//! A server to play with: the built `larch` on a temporary directory and a free port, until Ctrl-C.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::failure::Failure;
use crate::repository::{cargo, workspace};

/// Larch flushes what it holds before it goes; its own budget for that is half a minute.
const STOP_BUDGET: Duration = Duration::from_secs(40);

/// How often the server, the signals and the clock are looked at: too short for a person to notice.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long one question for readiness may take.
const ASK_BUDGET: Duration = Duration::from_secs(1);

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    debug: bool,
    stop_after: Option<Duration>,
}

pub(crate) fn parse(args: &[String]) -> Result<Options, Failure> {
    let mut options = Options { debug: false, stop_after: None };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--debug" => options.debug = true,
            "--for" => {
                let seconds = args.next().and_then(|text| text.parse().ok());
                let seconds = seconds.ok_or_else(|| Failure::new("`--for` wants a number of seconds"))?;
                options.stop_after = Some(Duration::from_secs(seconds));
            }
            other => return Err(Failure::new(format!("`dev` does not know `{other}`"))),
        }
    }
    Ok(options)
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<(), Failure> {
    let binary = build(root, options.debug)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))
            .map_err(|e| Failure::because("wait for signals", e))?;
    }
    let folder = Folder::new()?;
    let port = free_port()?;
    let mut command = Command::new(binary);
    // In a group of its own, or the terminal's Ctrl-C would reach it beside the signal from here.
    command.arg(format!("-server.http-listen-port={port}")).current_dir(&folder.path).process_group(0);
    let mut server = command.spawn().map_err(|e| Failure::because("start larch", e))?;
    let outcome = watch(&mut server, port, &folder.path, options.stop_after, &interrupted);
    let status = stop(&mut server, STOP_BUDGET)?;
    outcome?;
    println!("larch stopped: {status}");
    Ok(())
}

fn build(root: &Path, debug: bool) -> Result<PathBuf, Failure> {
    let mut command = cargo(root);
    command.args(["build", "--locked", "--package", "larch"]);
    if !debug {
        command.arg("--release");
    }
    let status = command.status().map_err(|e| Failure::because("start cargo build", e))?;
    if !status.success() {
        return Err(Failure::new(format!("cargo build failed: {status}")));
    }
    Ok(workspace(root)?.target.join(if debug { "debug/larch" } else { "release/larch" }))
}

/// Returns when it is time to stop; fails if the server ends by itself.
#[expect(clippy::disallowed_methods, reason = "waits for a person, in a tool")]
fn watch(
    server: &mut Child,
    port: u16,
    folder: &Path,
    stop_after: Option<Duration>,
    interrupted: &AtomicBool,
) -> Result<(), Failure> {
    let start = Instant::now();
    let mut ready = false;
    while !interrupted.load(Ordering::Relaxed) && stop_after.is_none_or(|limit| start.elapsed() < limit) {
        if let Some(status) = server.try_wait().map_err(|e| Failure::because("look after larch", e))? {
            return Err(Failure::new(format!("larch ended by itself: {status}")));
        }
        if !ready && is_ready(port) {
            ready = true;
            println!("larch is ready: http://127.0.0.1:{port}, data in {}", folder.display());
            println!("stop it with Ctrl-C");
        }
        sleep(LOOK_EVERY);
    }
    Ok(())
}

fn is_ready(port: u16) -> bool {
    let ask = || {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, ASK_BUDGET)?;
        stream.set_read_timeout(Some(ASK_BUDGET))?;
        stream.set_write_timeout(Some(ASK_BUDGET))?;
        stream.write_all(b"GET /ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        let mut status = [0; b"HTTP/1.1 200".len()];
        stream.read_exact(&mut status)?;
        std::io::Result::Ok(status == *b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}

/// Asks the server to end, and ends it if it does not.
#[expect(clippy::disallowed_methods, reason = "waits for a process, in a tool")]
fn stop(server: &mut Child, budget: Duration) -> Result<ExitStatus, Failure> {
    let failed = |e| Failure::because("stop larch", e);
    if let Some(status) = server.try_wait().map_err(failed)? {
        return Ok(status);
    }
    // The standard library only knows SIGKILL, and `kill` is built into every shell.
    let id = server.id().to_string();
    Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id]).status().map_err(failed)?;
    let start = Instant::now();
    while start.elapsed() < budget {
        if let Some(status) = server.try_wait().map_err(failed)? {
            return Ok(status);
        }
        sleep(LOOK_EVERY);
    }
    println!("larch did not stop in {} s and is killed", budget.as_secs());
    server.kill().map_err(failed)?;
    server.wait().map_err(failed)
}

/// Free now; nobody holds it until the server does, which is good enough for a person.
fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    Ok(listener.map_err(|e| Failure::because("find a free port", e))?.port())
}

/// A temporary folder, removed with what is in it.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("larch-dev-{}", std::process::id()));
        fs::create_dir(&path).map_err(|e| Failure::because(format!("make {}", path.display()), e))?;
        Ok(Self { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(e) = fs::remove_dir_all(&self.path) {
            eprintln!("cannot remove {}: {e}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Stdio;

    use super::*;

    fn options(args: &[&str]) -> Result<Options, String> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        parse(&args).map_err(|failure| failure.to_string())
    }

    /// A process that waits for input which never comes.
    fn waiting(program: &str, args: &[&str]) -> Child {
        Command::new(program).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    }

    #[test]
    fn reads_its_options() {
        let given = options(&["--for", "5", "--debug"]);
        assert_eq!(given, Ok(Options { debug: true, stop_after: Some(Duration::from_secs(5)) }));
        assert_eq!(options(&[]), Ok(Options { debug: false, stop_after: None }));
        assert_eq!(options(&["--for"]), Err("`--for` wants a number of seconds".to_owned()));
        assert_eq!(options(&["--for", "soon"]), Err("`--for` wants a number of seconds".to_owned()));
        assert_eq!(options(&["-x"]), Err("`dev` does not know `-x`".to_owned()));
    }

    #[test]
    fn stops_a_server_that_listens_and_one_that_does_not() {
        let mut listens = waiting("cat", &[]);
        assert_eq!(stop(&mut listens, STOP_BUDGET).unwrap().signal(), Some(SIGTERM));

        let mut deaf = waiting("sh", &["-c", "trap '' TERM; echo deaf; read -r line"]);
        let mut said = [0; b"deaf".len()];
        deaf.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        let killed = stop(&mut deaf, Duration::ZERO).unwrap();
        assert_eq!(killed.signal(), Some(signal_hook::consts::SIGKILL));
    }

    #[test]
    fn watches_until_told_to_stop_or_the_server_ends() {
        let told = AtomicBool::new(true);
        let untold = AtomicBool::new(false);
        let here = Path::new(".");
        let mut server = waiting("cat", &[]);
        assert!(watch(&mut server, 0, here, None, &told).is_ok());
        assert!(watch(&mut server, 0, here, Some(Duration::ZERO), &untold).is_ok());
        stop(&mut server, STOP_BUDGET).unwrap();
        let ended = watch(&mut server, 0, here, None, &untold).unwrap_err();
        assert!(ended.to_string().starts_with("larch ended by itself: "), "{ended}");
    }

    #[test]
    fn ready_is_what_answers_200() {
        for (answer, ready) in
            [("HTTP/1.1 200 OK\r\n\r\n", true), ("HTTP/1.1 503 No\r\n\r\n", false), ("", false)]
        {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            std::thread::scope(|scope| {
                let asked = scope.spawn(move || is_ready(port));
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; b"GET /ready ".len()];
                stream.read_exact(&mut request).unwrap();
                assert_eq!(&request, b"GET /ready ");
                stream.write_all(answer.as_bytes()).unwrap();
                drop(stream);
                assert_eq!(asked.join().unwrap(), ready, "{answer}");
            });
        }
    }

    #[test]
    fn the_folder_goes_with_its_owner() {
        let folder = Folder::new().unwrap();
        let path = folder.path.clone();
        fs::write(path.join("file"), "x").unwrap();
        drop(folder);
        assert!(!path.try_exists().unwrap());
    }
}
