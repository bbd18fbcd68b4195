//! From arguments to a running process.

use std::io::Write;
use std::process::ExitCode;

use larch_config::{Arguments, Environment, FlagSpec, Schema, parse_arguments, to_yaml};

use crate::allocator::give_memory_back_soon;
use crate::assemble::choose_store;
use crate::build_facts::version_text;
use crate::health;
use crate::metrics_list;
use crate::role::Role;
use crate::run::run;
use crate::settings::{Loaded, load, schema};
use crate::targets;

/// A binary: its name and the roles that it can run.
pub struct Program {
    pub name: &'static str,
    pub roles: Vec<Box<dyn Role>>,
}

/// Wrong arguments, as Go's programs say it.
const USAGE_ERROR: u8 = 2;

pub(crate) const FLAGS: [FlagSpec; 12] = [
    flag("config.file"),
    switch("config.expand-env"),
    switch("verify-config"),
    switch("print-config-stderr"),
    switch("log-config-reverse-order"),
    switch("list-targets"),
    switch("version"),
    switch("health"),
    flag("health.url"),
    switch("json"),
    switch("help"),
    switch("h"),
];

const fn flag(name: &'static str) -> FlagSpec {
    FlagSpec { name, switch: false }
}

const fn switch(name: &'static str) -> FlagSpec {
    FlagSpec { name, switch: true }
}

/// The whole of `main` of a binary.
pub fn main(mut program: Program) -> ExitCode {
    give_memory_back_soon();
    let schema = schema(&mut program.roles);
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    let irregular =
        |name: &str| crate::LOKI_FLAGS.iter().find(|(flag, _)| *flag == name).map(|(_, path)| *path);
    let is_switch = |name: &str| schema.is_switch(irregular(name).unwrap_or(name));
    let arguments = match parse_arguments(&arguments, &FLAGS, is_switch) {
        Ok(arguments) => arguments,
        Err(error) => {
            say_error(&format!("{error}\nRun {} -help for the flags.\n", program.name));
            return ExitCode::from(USAGE_ERROR);
        }
    };
    match answer_at_once(&program, &arguments) {
        Some(code) => code,
        None => start(&mut program, &schema, &arguments),
    }
}

/// Flags and words that need no configuration.
fn answer_at_once(program: &Program, arguments: &Arguments) -> Option<ExitCode> {
    if arguments.switch("help") || arguments.switch("h") {
        say(&help(program));
        return Some(ExitCode::SUCCESS);
    }
    if arguments.switch("version") {
        say(&version_text(program.name));
        return Some(ExitCode::SUCCESS);
    }
    if arguments.switch("health") {
        let url = arguments.value("health.url").unwrap_or(health::DEFAULT_URL);
        return Some(match health::check(url) {
            Ok(()) => ExitCode::SUCCESS,
            Err(text) => {
                say_error(&format!("{text}\n"));
                ExitCode::FAILURE
            }
        });
    }
    if arguments.switch("list-targets") {
        let roles: Vec<&str> = program.roles.iter().map(|role| role.name()).collect();
        say(&format!("{}\n", targets::names(&roles).join("\n")));
        return Some(ExitCode::SUCCESS);
    }
    let words: Vec<&str> = arguments.words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] | ["metrics", "list"] => None,
        _ => {
            say_error(&format!("unexpected argument: {}\n", words.join(" ")));
            Some(ExitCode::from(USAGE_ERROR))
        }
    }
}

fn start(program: &mut Program, schema: &Schema, arguments: &Arguments) -> ExitCode {
    let loaded = match load(schema, arguments, &Environment::of_process(), &mut program.roles) {
        Ok(loaded) => loaded,
        Err(problems) => {
            say_error(&format!("failed parsing config: {problems}\n"));
            return ExitCode::FAILURE;
        }
    };
    let names: Vec<&'static str> = program.roles.iter().map(|role| role.name()).collect();
    let chosen = match targets::choose(&loaded.shared.top.target, program.name, &names) {
        Ok(chosen) => chosen,
        Err(error) => {
            say_error(&format!("failed parsing config: {error}\n"));
            return ExitCode::FAILURE;
        }
    };
    let mut warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    warnings.extend(chosen.warnings);
    if arguments.switch("print-config-stderr") {
        say_error(&to_yaml(&loaded.effective.settings));
    }
    if arguments.switch("verify-config") {
        return verified(&loaded, &warnings);
    }
    program.roles.retain(|role| chosen.roles.contains(&role.name()));
    if arguments.words.first().is_some_and(|word| word == "metrics") {
        return metrics_list::show(program, loaded, arguments.switch("json"));
    }
    let reversed = arguments.switch("log-config-reverse-order");
    run(program, loaded, &warnings, reversed)
}

/// What `-verify-config` shows: the settings themselves were checked when they were read.
fn verified(loaded: &Loaded, warnings: &[String]) -> ExitCode {
    for warning in warnings {
        say_error(&format!("warning: {warning}\n"));
    }
    let overrides = crate::overrides::verify(loaded).map_err(|problems| problems.to_string());
    let store = || choose_store(&loaded.shared).map_err(|error| error.to_string());
    match overrides.and_then(|idle| store().map(|_| idle)) {
        Ok(idle) => {
            for problem in idle {
                say_error(&format!("warning: {problem}\n"));
            }
            say_error("config is valid\n");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            say_error(&format!("failed parsing config: {problem}\n"));
            ExitCode::FAILURE
        }
    }
}

fn help(program: &Program) -> String {
    format!(
        "{name}: a multi-tenant log database that speaks Loki's APIs.\n\n\
         Usage: {name} [flags]\n       {name} metrics list [-json]\n\n\
         Every setting of the configuration file is a flag too, by its path:\n\
         \u{20}  -server.http-listen-port=3100\n\
         and a variable of the environment:\n\
         \u{20}  LARCH__SERVER__HTTP_LISTEN_PORT=3100\n\n\
         \u{20}  -config.file FILE[,FILE]      the first of them that exists is read\n\
         \u{20}  -config.expand-env            replace ${{VAR}} and ${{VAR:-default}} in it\n\
         \u{20}  -target ROLE[,ROLE]           which roles to run (-list-targets shows them)\n\
         \u{20}  -verify-config                check the configuration and exit\n\
         \u{20}  -print-config-stderr          show the configuration with all defaults\n\
         \u{20}  -log-config-reverse-order     log it, last line first\n\
         \u{20}  -health [-health.url URL]     ask a running process whether it is ready\n\
         \u{20}  -version                      show the version\n",
        name = program.name
    )
}

/// To standard output. If nobody reads it, there is nobody to tell.
pub(crate) fn say(text: &str) {
    drop(std::io::stdout().write_all(text.as_bytes()));
}

/// To standard error, for what happens before logs are set up.
pub(crate) fn say_error(text: &str) {
    drop(std::io::stderr().write_all(text.as_bytes()));
}
