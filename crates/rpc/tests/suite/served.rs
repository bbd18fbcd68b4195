//! The services behind the listener that every process has: metrics by method, request ids in the log,
//! refusal while the process stops.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larch_rpc::{GrpcTransport, Transport};
use larch_runtime::{Budgets, Env, Module, Process, Routes, Server, ServerSettings, Stage};
use larch_telemetry::{Format, LogFormat, LogLevel, LogOptions, Registry, subscriber_over};
use larch_types::{Address, ErrorKind};

use crate::echo::{Echo, Script};
use crate::harness::{LIMITS, routes, settings};
use crate::requests::{self, PATIENCE};

const BUDGETS: Budgets = Budgets {
    refuse: Duration::from_secs(1),
    drain: PATIENCE,
    cut: Duration::from_secs(1),
    leave: Duration::from_secs(1),
    close: PATIENCE,
};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn behind_the_listener_of_a_process() {
    let (metrics, env, log) = (Registry::default(), Env::system(), Log::default());
    let clock = Arc::clone(&env.clock);
    let options = LogOptions {
        level: LogLevel::Debug,
        format: LogFormat::Logfmt,
        clock: Arc::new(move || clock.now()),
        metrics: metrics.clone(),
    };
    let (subscriber, _) = subscriber_over(options, log.clone());
    let _logging = tracing::subscriber::set_default(subscriber);

    let echo = Echo::new(Script::Answer);
    let listening = ServerSettings {
        grpc_listen_address: "127.0.0.1".to_owned(),
        grpc_listen_port: 0,
        ..ServerSettings::default()
    };
    let data = routes(&echo, LIMITS).into_axum_router();
    let served = Routes { data, ..Routes::default() };
    let grpc = Arc::new(Server::grpc(listening, env.clone(), metrics.clone(), served));
    let process = Process::new(env);
    process.add(Arc::clone(&grpc) as Arc<dyn Module>);
    process.start().await.unwrap();

    let address: Address = grpc.address().unwrap().to_string().parse().unwrap();
    let transport = GrpcTransport::new(settings(LIMITS));
    let call = requests::call(PATIENCE);
    let id = call.request.to_string();
    transport.ingester(&address).state(call).await.unwrap();

    grpc.stop(Stage::Refuse).await;
    let refused = transport.ingester(&address).state(requests::call(PATIENCE)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
    drop(transport);
    process.stop(&BUDGETS).await;

    let text = metrics.encode(Format::Prometheus);
    for status in ["success", "503"] {
        let series = format!(
            "loki_request_duration_seconds_count{{method=\"gRPC\",route=\"/larch.ingest.v1.Ingester/State\",status_code=\"{status}\",ws=\"false\"}} 1"
        );
        assert!(text.lines().any(|line| line == series), "{series} is not in\n{text}");
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let named =
        log.lines().any(|line| line.contains("method=gRPC") && line.contains(&format!("request_id={id}")));
    assert!(named, "{id} is not in\n{log}");
}
