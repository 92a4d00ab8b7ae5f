//! `claimctl local status`: whether the sandbox runs, and what is deployed in it.

use std::collections::BTreeMap;

use claimctl_claim::surface::{Sink, SinkKind, Surface};
use claimctl_core::error::Result;
use serde::Serialize;

use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, Table, report};
use crate::sandbox::{DatabaseStatus, Look, Sandbox, Server};
use crate::session::{Session, TargetArgs};

/// Say whether the sandbox runs, and what is deployed in it
///
/// That it does not run is an answer and no failure: the exit code is 0.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Does it run, and what is in it?:
  claimctl local status
Its endpoint, for other programs:
  claimctl local status --output json")]
pub struct Args {}

#[derive(Debug, Serialize)]
struct Status {
    running: bool,
    endpoint: Option<String>,
    pid: Option<i32>,
    version: Option<String>,
    started_at: Option<String>,
    /// Why there is less to see than one would expect.
    why: Option<String>,
    /// None: no stack has needed one.
    database: Option<DatabaseStatus>,
    stacks: BTreeMap<String, Surface>,
}

pub async fn run(_: &Args, ctx: &Ctx) -> Result<Outcome> {
    let sandbox = Sandbox::at(&ctx.paths);
    let status = match sandbox.ask().await? {
        Look::Down => Status::without_server("it was not started, or was stopped"),
        Look::Starting(_) => Status::without_server("it is starting"),
        Look::Died(server) => Status {
            running: false,
            endpoint: None,
            ..Status::of(server.clone(), format!("the server with pid {} has died", server.pid))
        },
        Look::Stuck(server) => Status::of(server, "it does not answer"),
        Look::Up(server) => {
            let target = Session::resolve(ctx, &TargetArgs::default()).await?;
            let surfaces = target.surfaces().await?;
            let stacks = surfaces.0.iter().map(|surface| (surface.stack.clone(), surface.clone())).collect();
            Status { why: None, stacks, ..Status::of(server, "") }
        }
    };
    // It may outlive a server that was killed.
    report(Status { database: sandbox.database().status()?, ..status })
}

impl Status {
    fn without_server(why: &str) -> Self {
        Status {
            running: false,
            endpoint: None,
            pid: None,
            version: None,
            started_at: None,
            why: Some(why.to_owned()),
            database: None,
            stacks: BTreeMap::new(),
        }
    }

    fn of(server: Server, why: impl Into<String>) -> Self {
        Status {
            running: true,
            endpoint: Some(server.endpoint),
            pid: Some(server.pid),
            version: Some(server.version),
            started_at: Some(server.started_at),
            why: Some(why.into()),
            database: None,
            stacks: BTreeMap::new(),
        }
    }
}

impl Report for Status {
    fn page(&self) -> Page {
        let why = self.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
        let page = match (&self.endpoint, self.pid, &self.version) {
            (Some(endpoint), Some(pid), Some(version)) => {
                Page::new().line(format!("the sandbox is running at {endpoint} (pid {pid}, MiniStack {version}){why}"))
            }
            _ => Page::new().line(format!("the sandbox is not running{why}")).line("start it: claimctl local up"),
        };
        let empty = self.running && self.why.is_none() && self.stacks.is_empty();
        let page = match &self.database {
            None => page,
            Some(DatabaseStatus { running: true, host, port, pid }) => {
                let pid = pid.unwrap_or_default();
                page.line(format!("its database is running at {host}:{port} (pid {pid}, MariaDB)"))
                    .line_if(!self.running, || "end it: claimctl local down".to_owned())
            }
            Some(_) => page
                .line("its database has died, and its data are kept")
                .line("start it again: claimctl local up, with the stack that needs it"),
        };
        page.table(parts(self.stacks.values()))
            .line_if(empty, || "no stack is deployed: claimctl local up deploys one".to_owned())
    }
}

/// Everything that stacks expose, one part a row.
pub(super) fn parts<'a>(stacks: impl Iterator<Item = &'a Surface>) -> Table {
    let mut table = Table::new(["STACK", "PART", "NAME", "IS"]);
    for stack in stacks {
        let mut row = |part: &str, name: &str, is: &str| {
            table.row([stack.stack.clone(), part.to_owned(), name.to_owned(), is.to_owned()]);
        };
        stack.buckets.iter().for_each(|(name, bucket)| row("bucket", name, &bucket.name));
        stack.topics.iter().for_each(|(name, topic)| row("topic", name, &topic.arn));
        stack.queues.iter().for_each(|(name, queue)| row("queue", name, &queue.url));
        stack.tables.iter().for_each(|(name, it)| row("table", name, &it.name));
        stack.databases.iter().for_each(|(name, it)| row("database", name, &format!("{}:{}", it.host, it.port)));
        stack.functions.iter().for_each(|(name, function)| row("function", name, &function.name));
        stack.apis.iter().for_each(|(name, api)| row("API", name, &api.url));
        stack.buses.iter().for_each(|(name, bus)| row("event bus", name, &bus.name));
        stack.state_machines.iter().for_each(|(name, machine)| row("state machine", name, &machine.arn));
        stack.log_groups.iter().for_each(|(name, group)| row("log group", name, &group.name));
        for flow in &stack.flows {
            let way = [&flow.bucket, &flow.table, &flow.topic, &flow.queue, &flow.function, &flow.state_machine];
            let mut way: Vec<_> = way.into_iter().flatten().map(String::as_str).collect();
            let Sink { kind, name } = &flow.sink;
            let sink = match kind {
                SinkKind::Table => format!("table {name}"),
                SinkKind::Database => format!("database {name}"),
                SinkKind::Logs => format!("logs {name}"),
            };
            way.push(&sink);
            row("flow", &flow.name, &way.join(" → "));
        }
    }
    table
}
