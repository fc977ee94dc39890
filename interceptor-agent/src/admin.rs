// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What people ask the running agent, by HTTP at a socket that only root reaches: `/status`, `/explain`, `/config`,
//! `/log`. What the command `interceptor` answers is its answer here too; it is the program beside this one.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::ErrorKind,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use axum::{
    Router,
    extract::{RawQuery, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use clap::ValueEnum as _;
use interceptor::records::PodName;
use serde::Serialize;
use tokio::{net::UnixListener, task::spawn_blocking};

use crate::{args::Level, log::LogHandle};

/// The name of the socket in the run directory.
pub(crate) const ADMIN_SOCKET_NAME: &str = "admin.sock";
/// What the command needs from its environment, and no more.
const SEARCH_PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// What the answers depend on.
#[derive(Debug)]
pub(crate) struct Admin {
    pub(crate) bpffs: PathBuf,
    pub(crate) run_dir: PathBuf,
    /// What this process was told, by the names of flags.
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) log: LogHandle,
}

/// A request that cannot be answered, with the reason.
struct Refusal(StatusCode, String);

type Answer = Result<Response, Refusal>;

/// Listens in a directory that nobody else may write to. Another agent's socket is replaced at one instant.
pub(crate) fn listen(run_dir: &Path) -> Result<UnixListener> {
    let (path, new) = (run_dir.join(ADMIN_SOCKET_NAME), run_dir.join(format!(".{ADMIN_SOCKET_NAME}")));
    let bind = || {
        match fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(&new)?;
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600))?;
        fs::rename(&new, &path)?;
        Ok(listener)
    };
    bind().with_context(|| format!("Failed to listen at {}", path.display()))
}

/// What is served there.
pub(crate) fn routes(admin: Admin) -> Router {
    Router::new()
        .route("/status", get(status))
        .route("/explain", get(explain))
        .route("/config", get(async |State(admin): State<Arc<Admin>>| json(&admin.config)))
        .route("/log", get(level).put(set_level))
        .with_state(Arc::new(admin))
}

async fn status(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Answer {
    let mut query = Query::read(query.as_deref())?;
    let pod = query.take::<PodName>("pod")?;
    query.end(&["pod"])?;
    let mut arguments = vec!["status".to_owned(), "--output=json".to_owned()];
    arguments.extend(pod.map(|pod| format!("--pod={pod}")));
    ask(&admin, arguments).await
}

async fn explain(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Answer {
    let mut query = Query::read(query.as_deref())?;
    let pod = query
        .take::<PodName>("pod")?
        .ok_or_else(|| bad("`pod` is missing: write pod=NAMESPACE/NAME"))?;
    let destination = query.take::<SocketAddr>("dst")?;
    let destination = destination.ok_or_else(|| bad("`dst` is missing: write dst=ADDRESS:PORT"))?;
    let ids = [("--uid", query.take::<u32>("uid")?), ("--gid", query.take::<u32>("gid")?)];
    query.end(&["pod", "dst", "uid", "gid"])?;
    let mut arguments = vec!["explain".to_owned(), "--output=json".to_owned(), format!("--pod={pod}")];
    arguments.extend(ids.into_iter().filter_map(|(flag, id)| Some(format!("{flag}={}", id?))));
    arguments.push(destination.to_string());
    ask(&admin, arguments).await
}

async fn level(State(admin): State<Arc<Admin>>) -> Response {
    json(&BTreeMap::from([("level", admin.log.level().name())]))
}

async fn set_level(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Answer {
    let mut query = Query::read(query.as_deref())?;
    let name = query.take::<String>("level")?.unwrap_or_default();
    query.end(&["level"])?;
    let level = Level::from_str(&name, false)
        .map_err(|_unknown| bad(format!("level={name} is no level: write none, error, warn, info or debug")))?;
    admin.log.set(level).map_err(|error| failed(format!("{error:#}")))?;
    tracing::info!(level = level.name(), "the level of the log was changed");
    Ok(json(&BTreeMap::from([("level", level.name())])))
}

/// Answers as the command does. Arguments are values that were read, so none of them is taken for a flag.
async fn ask(admin: &Admin, arguments: Vec<String>) -> Answer {
    let program = std::env::current_exe().map_err(|error| failed(format!("this program is not found: {error}")))?;
    let program = program.with_file_name("interceptor");
    let places: [OsString; 4] =
        ["--bpffs".into(), admin.bpffs.clone().into(), "--run-dir".into(), admin.run_dir.clone().into()];
    let run = spawn_blocking(move || {
        let mut command = Command::new(&program);
        command
            .args(arguments)
            .args(places)
            .env_clear()
            .env("PATH", SEARCH_PATH)
            .stdin(Stdio::null());
        command.output().with_context(|| format!("Failed to run {}", program.display()))
    });
    let run = run.await.map_err(|_panicked| failed("a fault of the agent".to_owned()))?;
    let run = run.map_err(|error| failed(format!("{error:#}")))?;
    if run.status.success() {
        Ok(of_json(run.stdout))
    } else {
        Err(Refusal(
            StatusCode::UNPROCESSABLE_ENTITY,
            String::from_utf8_lossy(&run.stderr).trim_end().to_owned(),
        ))
    }
}

fn json(value: &impl Serialize) -> Response {
    let text = serde_json::to_vec(value).map_err(|error| failed(error.to_string()));
    text.map_or_else(IntoResponse::into_response, of_json)
}

fn of_json(text: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// The part of a request after `?`. No value that is asked for here needs an escape but `/`, `:`, `[` and `]`.
struct Query(BTreeMap<String, String>);

impl Query {
    fn read(text: Option<&str>) -> Result<Self, Refusal> {
        let mut values = BTreeMap::new();
        for pair in text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or_else(|| bad(format!("`{pair}` is no NAME=VALUE")))?;
            let mut plain = value.to_owned();
            for (escape, letter) in [("2F", "/"), ("3A", ":"), ("5B", "["), ("5D", "]")] {
                plain = plain.replace(&format!("%{escape}"), letter);
                plain = plain.replace(&format!("%{}", escape.to_lowercase()), letter);
            }
            if values.insert(name.to_owned(), plain).is_some() {
                return Err(bad(format!("`{name}` is there twice")));
            }
        }
        Ok(Self(values))
    }

    fn take<T: std::str::FromStr<Err: std::fmt::Display>>(&mut self, name: &str) -> Result<Option<T>, Refusal> {
        let Some(value) = self.0.remove(name) else { return Ok(None) };
        value.parse().map(Some).map_err(|error| bad(format!("{name}={value}: {error}")))
    }

    fn end(self, known: &[&str]) -> Result<(), Refusal> {
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(name) => Err(bad(format!("`{name}` means nothing here; known are {}", known.join(", ")))),
        }
    }
}

fn bad(why: impl Into<String>) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, why.into())
}

fn failed(why: String) -> Refusal {
    Refusal(StatusCode::INTERNAL_SERVER_ERROR, why)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(status, why) = self;
        (status, format!("{why}\n")).into_response()
    }
}
