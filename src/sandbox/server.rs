//! The server's process: started, found again, emptied, stopped.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use claimctl_core::context::Paths;
use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::lock::{self, Lock};
use claimctl_core::progress::Unit;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::database::Database;
use super::home::{Home, Look, Server};
use super::log::Log;
use super::{http, venv};
use crate::context::Ctx;

/// A cold disk or a busy machine makes 0.3 s longer, but not this long.
const START_WITHIN: Duration = Duration::from_secs(30);
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// It ends every function first, which takes a while on a busy machine.
const RESET_WITHIN: Duration = Duration::from_secs(30);
const STOP_WITHIN: Duration = Duration::from_secs(5);
const DYING_WITHIN: Duration = Duration::from_millis(500);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// So much of the log is shown when the server ends right away.
const LAST_LINES: usize = 8;

pub struct Sandbox {
    home: Home,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    pub server: Server,
    /// False when it was up already.
    pub new: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// The process with this number was up and has ended.
    Ended(i32),
    /// It was gone already, and what it left is removed.
    Cleared(Server),
    WasDown,
}

impl Sandbox {
    pub fn at(paths: &Paths) -> Self {
        Sandbox { home: Home::at(&paths.state) }
    }

    /// What the kernel and the state folder know, without talking to the server: well under a millisecond.
    pub fn look(&self) -> Result<Look> {
        self.home.look()
    }

    /// The server that is up.
    pub fn server(&self) -> Result<Server> {
        let error = match self.look()? {
            Look::Up(server) | Look::Stuck(server) => return Ok(server),
            Look::Down => Error::not_found("the sandbox is not running"),
            Look::Starting(_) => Error::not_found("the sandbox is starting and not up yet"),
            Look::Died(server) => Error::not_found(died(&server)),
        };
        Err(error.hint("start it: claimctl local up"))
    }

    pub async fn endpoint(&self) -> Result<String> {
        Ok(self.server()?.endpoint)
    }

    /// The database beside the server, for the stacks that need one.
    pub fn database(&self) -> Database {
        Database::below(self.home.folder())
    }

    /// What the server and its functions wrote, of the one that is up or the last one that was.
    pub fn log(&self) -> Result<Log> {
        Log::open(self.home.log())
    }

    /// What the kernel, the state folder and the server itself say.
    pub async fn ask(&self) -> Result<Look> {
        let look = self.look()?;
        let Look::Up(server) = &look else { return Ok(look) };
        if answers(server).await {
            return Ok(look);
        }
        // One that is just being killed loses its port a moment before its lock.
        let deadline = Instant::now() + DYING_WITHIN;
        while Instant::now() < deadline {
            match self.look()? {
                same if same == look => tokio::time::sleep(LOOK_AGAIN).await,
                other => return Ok(other),
            }
        }
        Ok(Look::Stuck(server.clone()))
    }

    /// Brings the server up, or finds the one that is. Several at once make one server.
    pub async fn start(&self, ctx: &Ctx) -> Result<Started> {
        let _turn = self.turn(ctx).await?;
        match self.ask().await? {
            Look::Up(server) => return Ok(Started { server, new: false }),
            Look::Stuck(server) => {
                return Err(Error::unreachable(format!("the sandbox (pid {}) is up and does not answer", server.pid))
                    .hint("stop it, then start it again: claimctl local down"));
            }
            // Its claimctl was killed before the server said where it is; the server lives on.
            Look::Starting(_) => return Ok(Started { server: self.come_up(None).await?, new: false }),
            Look::Died(server) => {
                ctx.progress.note(&format!("{}: starting a new one, which is empty", died(&server)));
                self.home.clear()?;
            }
            Look::Down => {}
        }
        // What an earlier server's stacks have left in it belongs to nobody now.
        self.database().discard().await?;
        let venv = venv::ensure(ctx).await?;
        ctx.progress.start("starting the sandbox", None, Unit::Steps);
        let server = self.come_up(Some(self.spawn(&venv)?)).await;
        ctx.progress.finish();
        Ok(Started { server: server?, new: true })
    }

    /// Ends the server, every function that it runs, and the database. Everything in them is gone then.
    pub async fn stop(&self, ctx: &Ctx) -> Result<Stopped> {
        let _turn = self.turn(ctx).await?;
        self.database().discard().await?;
        let stopped = match self.look()? {
            Look::Down => return Ok(Stopped::WasDown),
            Look::Died(server) => Stopped::Cleared(server),
            Look::Starting(pid) => {
                self.end(pid).await?;
                Stopped::Ended(pid.as_raw_nonzero().get())
            }
            Look::Up(server) | Look::Stuck(server) => {
                if let Some(pid) = Pid::from_raw(server.pid) {
                    self.end(pid).await?;
                }
                Stopped::Ended(server.pid)
            }
        };
        self.home.clear()?;
        Ok(stopped)
    }

    /// Empties the server: every stack, bucket, queue and table is gone, and the database.
    pub async fn reset(&self, ctx: &Ctx) -> Result<()> {
        let _turn = self.turn(ctx).await?;
        let server = self.server()?;
        match http::request("POST", server.port, "/_ministack/reset", RESET_WITHIN).await {
            // No stack knows it any more.
            Ok(200) => self.database().discard().await,
            Ok(status) => Err(Error::unexpected(format!("the sandbox cannot be emptied (HTTP {status})"))),
            Err(error) => Err(Error::unreachable("the sandbox does not answer").caused_by(error)),
        }
        .map_err(|error| error.hint("start it anew: claimctl local down, then claimctl local up"))
    }

    /// Held while the server is started, stopped or changed.
    pub(super) async fn turn(&self, ctx: &Ctx) -> Result<Lock> {
        lock::take(&self.home.turn(), "the sandbox", &*ctx.progress, &ctx.cancel).await
    }

    fn spawn(&self, venv: &venv::Venv) -> Result<Child> {
        let log = self.home.new_log()?;
        let also = log.try_clone().on("open", &self.home.log())?;
        Command::new(&venv.python)
            .arg("-I")
            .arg(&venv.launcher)
            .arg(self.home.folder())
            .arg("0")
            .current_dir(self.home.folder())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(also)
            // A Ctrl-C on this terminal is not meant for it, and its functions can be ended with it.
            .process_group(0)
            .spawn()
            .on("start", &venv.python)
    }

    /// Waits until the server answers. `child` is known only to the claimctl that started it.
    async fn come_up(&self, mut child: Option<Child>) -> Result<Server> {
        let deadline = Instant::now() + START_WITHIN;
        loop {
            let look = self.look()?;
            if let Look::Up(server) = &look
                && answers(server).await
            {
                return Ok(server.clone());
            }
            let alive = match &mut child {
                Some(child) => child.try_wait().on("wait for the writer of", &self.home.log())?.is_none(),
                None => false,
            };
            // Asked after the child: one that ended because another holds the lock is no failure.
            if !alive && matches!(self.look()?, Look::Down | Look::Died(_)) {
                return Err(self.with_log(Error::unexpected("the sandbox ended while it started")));
            }
            if Instant::now() > deadline {
                let seconds = START_WITHIN.as_secs();
                let error = Error::unreachable(format!("the sandbox did not come up within {seconds} s"));
                return Err(self.with_log(error).hint("stop it, then start it again: claimctl local down"));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Ends the process that was just seen to hold the server's lock: asks first.
    async fn end(&self, pid: Pid) -> Result<()> {
        // Either call fails only when the process has ended meanwhile; whether it has is asked of the lock.
        let _ = kill_process(pid, Signal::TERM);
        if self.is_gone(pid, STOP_WITHIN).await? {
            return Ok(());
        }
        let _ = kill_process_group(pid, Signal::KILL);
        if self.is_gone(pid, STOP_WITHIN).await? {
            return Ok(());
        }
        Err(Error::unexpected(format!("the sandbox (pid {}) does not end", pid.as_raw_nonzero()))
            .hint(format!("end it by hand: kill -9 {}", pid.as_raw_nonzero())))
    }

    async fn is_gone(&self, pid: Pid, within: Duration) -> Result<bool> {
        let deadline = Instant::now() + within;
        while self.home.holder()? == Some(pid) {
            if Instant::now() > deadline {
                return Ok(false);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(true)
    }

    fn with_log(&self, error: Error) -> Error {
        let last = self.log().and_then(|mut log| log.last(LAST_LINES)).unwrap_or_default();
        let error = if last.is_empty() { error } else { error.caused_by(last.join("\n")) };
        error.hint(format!("all that it said: {}", self.home.log().display()))
    }
}

async fn answers(server: &Server) -> bool {
    matches!(http::request("GET", server.port, "/_ministack/ready", ANSWER_WITHIN).await, Ok(200))
}

fn died(server: &Server) -> String {
    format!("the sandbox (pid {}, up since {}) has died", server.pid, server.started_at)
}
