//! Terraform, ready to work on one root in one environment: checked, initialised, with the credentials that were
//! checked and nothing of the shell that could lead it elsewhere.

use std::io::{ErrorKind, Write};
use std::process::Stdio;
use std::sync::Arc;

use claimctl_core::cancel::Cancel;
use claimctl_core::child::{self, ChildEnd, Stream};
use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::lock;
use claimctl_core::progress::Progress;
use claimctl_core::redact::{redact, redact_arguments};
use tokio::process::Command;

use crate::project::Project;
use crate::state::terraform_runs;
use crate::terraform::root::Root;
use crate::terraform::run::binary::Binary;
use crate::terraform::run::child_environment::ChildEnvironment;
use crate::terraform::run::events::{Diagnostic, Event};
use crate::terraform::run::failure::TerraformMessages;
use crate::terraform::run::init;
use crate::terraform::run::lock_error;
use crate::terraform::run::words::{document, plain};
use crate::terraform::source::Source;
use crate::terraform::unfinished::unsaved_state::{self, ERRORED};

pub struct Terraform {
    pub root: Root,
    pub source: Source,
    pub binary: Binary,
    /// `NAME=VALUE`, as this run was given them.
    pub(in crate::terraform) variables: Vec<String>,
    pub(in crate::terraform) project: Project,
    pub(in crate::terraform) path_style: bool,
    pub(in crate::terraform) progress: Arc<dyn Progress>,
    pub(in crate::terraform) cancel: Cancel,
    pub(in crate::terraform) child_environment: ChildEnvironment,
}

impl Terraform {
    /// The same for a run that was given these variables: commands that it names carry them as well.
    pub fn with_variables(mut self, variables: &[String]) -> Terraform {
        let flags: Vec<String> = variables.iter().flat_map(|variable| ["--var".to_owned(), variable.clone()]).collect();
        self.root.variables = redact_arguments(&flags, &self.source.sensitive);
        self.variables = variables.to_owned();
        self
    }

    pub(crate) fn progress(&self) -> &dyn Progress {
        &*self.progress
    }

    /// Whether the operator has asked to stop.
    pub(crate) fn is_stopped(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// The workspace is named rather than selected: another checkout that initialises in the same data folder selects
    /// `default` for a moment.
    async fn command(&self, arguments: &[String], workspace: Option<&str>) -> Result<Command> {
        let mut command = Command::new(&self.binary.path);
        command.args(arguments).current_dir(&self.root.folder);
        self.child_environment.apply_to(&mut command).await?;
        command.envs(workspace.map(|workspace| ("TF_WORKSPACE", workspace)));
        Ok(command)
    }

    /// One at a time in this data folder. The lock goes to the child as its stdin, so that it is held for as long as the
    /// child lives, also where claimctl does not.
    pub(in crate::terraform) async fn lock(&self) -> Result<lock::Lock> {
        lock::take(&self.root.running(), &self.root.name(), &*self.progress, &self.cancel).await
    }

    /// Runs to the end, and hands over what is said.
    async fn started(
        &self,
        lock: &lock::Lock,
        arguments: &[String],
        workspace: Option<&str>,
        mut on_line: impl FnMut(Stream, &str),
    ) -> Result<ChildEnd> {
        let mut command = self.command(arguments, workspace).await?;
        let stdin = lock.share().on("share the lock in", &self.root.data_dir)?;
        let (running, noted) = (self.root.running(), lock.share().on("share the lock in", &self.root.data_dir)?);
        let mut has_errored = false;
        let on_line = |stream, line: &str| {
            has_errored |= line.contains(ERRORED);
            match stream {
                // What JSON escapes is told apart later, by whoever reads the JSON.
                Stream::Stdout if line.trim_start().starts_with('{') => on_line(stream, line),
                _ => on_line(stream, &plain(line)),
            }
        };
        terraform_runs::begin(&running, &noted);
        let ended =
            child::run_into_files(command.stdin(Stdio::from(stdin)), &self.root.data_dir, &self.cancel, on_line).await;
        // Not by a signal, and not by a crash.
        let by_itself = |ended: &ChildEnd| matches!(ended.status.code(), Some(0..=2));
        terraform_runs::end(&running, &noted, ended.as_ref().map_or(true, by_itself));
        let ended = ended?;
        if has_errored && !ended.status.success() {
            self.take_errored();
        }
        match ended.status.success() && has_no_room(&self.root) {
            true => {
                Err(full("be heard to its end, and may have done it all", &TerraformMessages::default(), &self.root))
            }
            false => Ok(ended),
        }
    }

    /// The lock is still ours: what lies there is of this run.
    fn take_errored(&self) {
        if let Err(error) = unsaved_state::take(&self.root) {
            let why = error.chain().join(": ");
            self.progress.note(&format!("note: a state that could not be saved stays where it is: {why}"));
        }
    }

    /// Runs a command whose output is text, and gives its stdout.
    pub async fn run(&self, arguments: &[String], doing: &str) -> Result<String> {
        self.run_in(Some(&self.root.environment), arguments, doing).await
    }

    /// The same in a workspace, or in the one that is selected.
    pub(in crate::terraform) async fn run_in(
        &self,
        workspace: Option<&str>,
        arguments: &[String],
        doing: &str,
    ) -> Result<String> {
        let mut said = TerraformMessages::default();
        let mut stdout = String::new();
        let ended = self
            .started(&self.lock().await?, arguments, workspace, |stream, line| match stream {
                Stream::Stdout => {
                    stdout.push_str(line);
                    stdout.push('\n');
                }
                Stream::Stderr => said.other.push(line.to_owned()),
            })
            .await?;
        self.check(&ended, &said, doing, false)?;
        Ok(stdout)
    }

    /// The same where that is a JSON document. What a program in front of Terraform says besides is passed on.
    pub async fn run_for_json(&self, arguments: &[String], doing: &str) -> Result<String> {
        let said = self.run(arguments, doing).await?;
        let (json, besides) = document(&said);
        self.note_besides(besides);
        Ok(json.unwrap_or_default().to_owned())
    }

    fn note_besides<'a>(&self, lines: impl IntoIterator<Item = &'a str>) {
        for line in lines {
            self.progress.note(&format!("note: {} says: {}", self.binary.program, redact(line)));
        }
    }

    /// Runs a command with `-json`, hands over its events, and keeps its diagnostics.
    pub async fn stream(
        &self,
        arguments: &[String],
        on_event: impl FnMut(Event),
    ) -> Result<(ChildEnd, TerraformMessages)> {
        self.stream_in(&self.lock().await?, arguments, on_event).await
    }

    /// The same for whom it matters whether it was started at all, and that nobody else is until something more is done.
    pub(in crate::terraform) async fn stream_in(
        &self,
        lock: &lock::Lock,
        arguments: &[String],
        mut on_event: impl FnMut(Event),
    ) -> Result<(ChildEnd, TerraformMessages)> {
        let mut said = TerraformMessages::default();
        let (mut speaks, mut besides) = (false, Vec::new());
        let ended = self
            .started(lock, arguments, Some(&self.root.environment), |stream, line| match (stream, Event::read(line)) {
                (Stream::Stdout, Some(event)) => {
                    speaks = true;
                    match event {
                        Event::Diagnostic { diagnostic } => said.diagnostics.push(diagnostic),
                        event => on_event(event),
                    }
                }
                (Stream::Stdout, None) if !line.trim().is_empty() => {
                    besides.push(line.to_owned());
                    said.other.push(line.to_owned());
                }
                _ => said.other.push(line.to_owned()),
            })
            .await?;
        // The first line names the version (Terraform documentation, "Machine-Readable UI"): without any, that it ended
        // well says nothing about what it did.
        match ended.status.success() && !speaks {
            true => Err(silent(&self.binary.program, &said)),
            false => {
                // Where it failed, that tells of it.
                if matches!(ended.status.code(), Some(0 | 2)) {
                    self.note_besides(besides.iter().map(String::as_str));
                }
                Ok((ended, said))
            }
        }
    }

    /// Whether a run did what it should. A crash of Go's ends with 2, so what else that may mean is for those who asked.
    /// `takes_extra` where it has taken the arguments that the operator gave it.
    pub fn check(&self, ended: &ChildEnd, said: &TerraformMessages, doing: &str, takes_extra: bool) -> Result<()> {
        self.judge(ended, said, doing, takes_extra).map_err(|error| unsaved_state::with_unsaved(error, &self.root))
    }

    fn judge(&self, ended: &ChildEnd, said: &TerraformMessages, doing: &str, takes_extra: bool) -> Result<()> {
        if ended.interrupted {
            let what = format!("Terraform was interrupted before it could {doing}, and has ended");
            return Err(Error::interrupted(what).hint("run the same command again to go on"));
        }
        match ended.status.code() {
            Some(0) => Ok(()),
            _ if said.is_about_a_lock() => Err(lock_error::explain(said, &self.root, takes_extra)),
            Some(_) if has_no_room(&self.root) => Err(full(doing, said, &self.root)),
            Some(_) => {
                if said.asks_for_init() {
                    init::repeat(&self.root)?;
                }
                Err(said.failure(doing, &self.root))
            }
            None => Err(Error::unexpected(format!("Terraform was killed before it could {doing}"))
                .next("what it was doing may be there without being in the state", self.root.next_run("plan"))),
        }
    }

    /// Warnings that an operator did not bring about knowingly.
    pub fn note_warnings(&self, said: &TerraformMessages) {
        for warning in said.warnings().filter(|warning| !is_expected(warning)) {
            self.progress.note(&format!("note: Terraform warns: {}", warning.lines().join(" ")));
        }
    }
}

/// Terraform's words go to a file in the data folder, so that on a full disk they are lost, or are about what is torn.
fn has_no_room(root: &Root) -> bool {
    let written = tempfile::tempfile_in(&root.data_dir).and_then(|mut file| file.write_all(&[0; 64 * 1024]));
    written.is_err_and(|error| matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
}

fn full(doing: &str, said: &TerraformMessages, root: &Root) -> Error {
    Error::unexpected(format!("Terraform could not {doing}"))
        .caused_by(format!("no space left on device: {}", root.data_dir.display()))
        .details(said.last())
        .hint("free some room, or point CLAIMCTL_HOME at another disk")
        .next("what is still to do", root.next_run("plan"))
}

fn silent(program: &str, said: &TerraformMessages) -> Error {
    Error::unexpected(format!("{program} ended without a word in JSON, so what it did is not known"))
        .details(said.last())
        .hint(
            "binary under [terraform] in claimctl.toml has to be Terraform or OpenTofu itself, or hand their output on",
        )
}

/// That `--target` was given is known.
fn is_expected(warning: &Diagnostic) -> bool {
    ["Resource targeting is in effect", "Applied changes may be incomplete"].contains(&warning.summary.as_str())
}
