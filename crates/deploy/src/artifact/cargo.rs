//! Cargo, called so that the same sources give the same bytes: what depends on the machine, the folder or the
//! operator's own settings is left out or given a fixed name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use claimctl_core::cancel::Cancel;
use claimctl_core::child::{self, Stream};
use claimctl_core::context::Context;
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::progress::{Progress, Unit};
use claimctl_core::units::count;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::process::Command;

use super::builder::Builder;
use super::repository::{Handler, Repository};
use crate::project::Architecture;

/// The profile of Cargo.toml that handlers are built with.
const PROFILE: &str = "lambda";

/// What an outer `cargo run` leaves in the environment, and build scripts notice.
const LEFT_BY_CARGO: [&str; 6] =
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"];

/// The operator's settings that would get into the binary. `CARGO_ENCODED_RUSTFLAGS`, which is set here, outweighs every
/// other source of compiler flags.
const SETTINGS: [&str; 2] = ["CARGO_PROFILE_", "RUSTFLAGS"];

/// 1980-01-01, the oldest time that a zip can hold; for build scripts that compile a date in.
const SOURCE_DATE_EPOCH: &str = "315532800";

/// How much of a failed build's output is worth repeating.
const LAST_LINES: usize = 30;

#[derive(Clone)]
pub struct Cargo {
    cargo: String,
    rustc: String,
    /// Where sources of dependencies are unpacked.
    home: Option<PathBuf>,
    left_by_cargo: Vec<String>,
    settings: Vec<String>,
}

/// The compiler that cargo will use.
pub struct Compiler {
    pub host: String,
    commit: String,
    sysroot: PathBuf,
}

impl Compiler {
    /// Whether the standard library for the target is there.
    pub fn has(&self, triple: &str) -> bool {
        self.rustlib().join(triple).is_dir()
    }

    fn rustlib(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib")
    }
}

impl Cargo {
    pub fn new(ctx: &Context) -> Cargo {
        let home = ctx.variable("CARGO_HOME").map(PathBuf::from);
        let below_home = || ctx.variable("HOME").map(|home| Path::new(home).join(".cargo"));
        let named = |prefixes: &[&str]| {
            let like = |name: &&str| prefixes.iter().any(|prefix| name.starts_with(prefix));
            ctx.variable_names().filter(like).map(str::to_owned).collect()
        };
        Cargo {
            cargo: ctx.variable("CARGO").unwrap_or("cargo").to_owned(),
            rustc: ctx.variable("RUSTC").unwrap_or("rustc").to_owned(),
            home: home.or_else(below_home),
            left_by_cargo: named(&LEFT_BY_CARGO),
            settings: named(&SETTINGS),
        }
    }

    /// What `cargo metadata` says of the workspace that the folder is in, without its dependencies.
    pub async fn metadata<T: DeserializeOwned>(&self, folder: &Path) -> Result<T> {
        let mut command = self.command(&self.cargo, folder);
        command.args(["metadata", "--no-deps", "--format-version", "1"]);
        let answer = child::output(&mut command).await.map_err(missing)?;
        if !answer.status.success() {
            let said = String::from_utf8_lossy(&answer.stderr);
            return Err(Error::usage(format!("cargo cannot read the package in {}", folder.display()))
                .details(said.lines())
                .hint("correct its Cargo.toml"));
        }
        serde_json::from_slice(&answer.stdout)
            .map_err(|error| Error::unexpected("cannot read the answer of cargo metadata").caused_by(error))
    }

    /// The compiler that is used in the folder, which may pin one of its own (rust-toolchain.toml).
    pub async fn compiler(&self, folder: &Path) -> Result<Compiler> {
        let about = self.rustc(folder, &["-vV"]).await?;
        let field = |name: &str| about.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
        let sysroot = self.rustc(folder, &["--print", "sysroot"]).await?;
        Ok(Compiler { host: field("host: "), commit: field("commit-hash: "), sysroot: sysroot.trim().into() })
    }

    /// Whether `cargo SUBCOMMAND` is installed.
    pub async fn has(&self, subcommand: &str, folder: &Path) -> Result<bool> {
        let mut command = self.command(&self.cargo, folder);
        Ok(child::output(command.args([subcommand, "--help"])).await.map_err(missing)?.status.success())
    }

    /// Builds a handler for Lambda and says where its binary is.
    pub async fn build(&self, order: &Order<'_>, cancel: &Cancel, progress: &dyn Progress) -> Result<PathBuf> {
        let Order { repository, handler, architecture, compiler, builder } = order;
        let triple = architecture.triple();
        // Its own folder: a `cargo run` that is under way holds the lock of the usual one.
        let target_directory = repository.target_directory.join("handlers");
        let mut command = self.command(&self.cargo, &repository.root);
        command.args(builder.subcommand()).args(["--locked", "--profile", PROFILE]);
        command.args(["--package", &handler.package, "--bin", &handler.name]);
        command.args(["--target", &builder.target(triple)]).env("CARGO_TARGET_DIR", &target_directory);
        command.args(builder.own_arguments(&target_directory));
        command.env("CARGO_ENCODED_RUSTFLAGS", self.flags(repository, compiler).join("\u{1f}"));
        command.env("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH);
        for name in &self.settings {
            command.env_remove(name);
        }
        let mut ear = Ear::new(format!("building {} for {architecture}", handler.name), progress);
        let status = child::run(&mut command, cancel, |line| ear.hear(line)).await.map_err(missing)?;
        match status.success() {
            true => Ok(builder.binary(&target_directory, triple, PROFILE, &handler.name)),
            false => Err(ear.failure(&format!("{} for {architecture}", handler.name))),
        }
    }

    /// Builds handlers for this machine as `cargo build` does, with whatever the operator has set, and says where their
    /// binaries are.
    pub async fn build_here(
        &self,
        repository: &Repository,
        handlers: &[&Handler],
        way: &Way,
        cancel: &Cancel,
        progress: &dyn Progress,
    ) -> Result<Vec<PathBuf>> {
        let mut command = self.command(&self.cargo, &repository.root);
        command.args(["build", "--profile", &way.profile, "--message-format", "json-render-diagnostics"]);
        for package in &way.packages {
            command.args(["--package", package]);
        }
        for handler in handlers {
            command.args(["--bin", &handler.name]);
        }
        let names: Vec<_> = handlers.iter().map(|handler| handler.name.as_str()).collect();
        let mut ear = Ear::new(format!("building {}", names.join(", ")), progress);
        let (mut built, folder) = (BTreeMap::new(), std::env::temp_dir());
        let ended = child::run_into_files(command.stdin(Stdio::null()), &folder, cancel, |stream, line| match stream {
            Stream::Stderr => ear.hear(line),
            Stream::Stdout => built.extend(executable(line)),
        });
        let ended = ended.await.map_err(missing)?;
        if ended.interrupted {
            return Err(Error::interrupted("cargo was interrupted, and has ended"));
        }
        if !ended.status.success() {
            return Err(ear.failure(&names.join(", ")));
        }
        let lacking = |name: &&str| Error::unexpected(format!("cargo does not say where it has built {name}"));
        names.iter().map(|name| built.remove(*name).ok_or_else(|| lacking(name))).collect()
    }

    /// Compiler flags that keep this machine out of the binary: paths in panic messages, and the linker's build id.
    /// Of several that match a path, rustc takes the last.
    fn flags(&self, repository: &Repository, compiler: &Compiler) -> Vec<String> {
        let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
        let mut flags = vec![remap(&repository.root, "/source"), remap(&repository.target_directory, "/target")];
        flags.extend(self.home.as_deref().map(|home| remap(home, "/cargo")));
        // The name that the standard library's paths have where its sources are not installed.
        flags.push(remap(&compiler.rustlib().join("src/rust"), &format!("/rustc/{}", compiler.commit)));
        flags.push("-Clink-arg=-Wl,--build-id=none".to_owned());
        flags
    }

    async fn rustc(&self, folder: &Path, arguments: &[&str]) -> Result<String> {
        let answer = child::output(self.command(&self.rustc, folder).args(arguments)).await.map_err(missing)?;
        match answer.status.success() {
            true => Ok(String::from_utf8_lossy(&answer.stdout).into_owned()),
            false => Err(Error::unexpected("the Rust compiler does not work here")
                .details(String::from_utf8_lossy(&answer.stderr).lines())
                .hint("try it by itself: rustc -vV")),
        }
    }

    fn command(&self, program: &str, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder).env("CARGO_TERM_COLOR", "never").env("CARGO_TERM_PROGRESS_WHEN", "never");
        for name in &self.left_by_cargo {
            command.env_remove(name);
        }
        command
    }
}

/// Listens to what cargo says of its work: how far it is goes to the operator, the rest is kept in case it fails.
struct Ear<'a> {
    what: String,
    progress: &'a dyn Progress,
    crates: u64,
    said: Vec<String>,
}

impl<'a> Ear<'a> {
    fn new(what: String, progress: &'a dyn Progress) -> Self {
        progress.start(&what, None, Unit::Steps);
        Ear { what, progress, crates: 0, said: Vec::new() }
    }

    fn hear(&mut self, line: &str) {
        tracing::debug!("{line}");
        let mut words = line.trim_start().split(' ');
        match words.next() {
            Some("Compiling") => {
                self.crates += 1;
                let (crates, name) = (count(self.crates, "crate"), words.next().unwrap_or_default());
                self.progress.now(&format!("{}: {crates}, {name}", self.what));
            }
            Some("Blocking") => self.progress.note("waiting for another cargo that is at work here"),
            _ => self.said.push(line.to_owned()),
        }
    }

    fn failure(&self, what: &str) -> Error {
        let from = self.said.len().saturating_sub(LAST_LINES);
        Error::unexpected(format!("cargo could not build {what}"))
            .details(&self.said[from..])
            .hint("the whole output: run it again with -v")
    }
}

/// What was built, and where, of a line of cargo's messages (The Cargo Book, "External tools", JSON messages).
fn executable(line: &str) -> Option<(String, PathBuf)> {
    #[derive(Deserialize)]
    struct Message {
        target: Target,
        executable: Option<PathBuf>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
    }
    let Message { target, executable } = serde_json::from_str(line).ok()?;
    Some((target.name, executable?))
}

/// How handlers are built for this machine.
#[derive(Debug, PartialEq, Eq)]
pub struct Way {
    pub profile: String,
    /// Whose features are chosen together.
    pub packages: Vec<String>,
}

/// One handler for one architecture.
pub struct Order<'a> {
    pub repository: &'a Repository,
    pub handler: &'a Handler,
    pub architecture: Architecture,
    pub compiler: &'a Compiler,
    pub builder: Builder,
}

fn missing(error: Error) -> Error {
    match error.kind() {
        Kind::NotFound => {
            error.hint("handlers are built with Rust: install it (https://rustup.rs), then open a new shell")
        }
        _ => error,
    }
}
