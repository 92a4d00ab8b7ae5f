//! Cargo, called so that the same sources give the same bytes: what depends on the machine, the folder or the
//! operator's own settings is left out or given a fixed name.

use std::path::{Path, PathBuf};

use claimctl_core::cancel::Cancel;
use claimctl_core::child;
use claimctl_core::context::Context;
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::progress::Progress;
use serde::de::DeserializeOwned;
use tokio::process::Command;

use super::builder::Builder;
use super::repository::{Handler, Repository};
use crate::project::Architecture;

/// The profile of Cargo.toml that handlers are built with.
const PROFILE: &str = "lambda";

/// What an outer `cargo run` leaves in the environment and build scripts notice, and settings that would get into the
/// binary. `CARGO_ENCODED_RUSTFLAGS`, which is set here, outweighs every other source of compiler flags.
const NOT_PASSED_ON: [&str; 8] = [
    "CARGO_PKG_",
    "CARGO_MANIFEST_",
    "CARGO_BIN_",
    "CARGO_CRATE_NAME",
    "CARGO_PRIMARY_PACKAGE",
    "CARGO_PROFILE_",
    "RUSTFLAGS",
    "OUT_DIR",
];

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
    not_passed_on: Vec<String>,
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
        let unwanted = |name: &&str| NOT_PASSED_ON.iter().any(|prefix| name.starts_with(prefix));
        Cargo {
            cargo: ctx.variable("CARGO").unwrap_or("cargo").to_owned(),
            rustc: ctx.variable("RUSTC").unwrap_or("rustc").to_owned(),
            home: home.or_else(below_home),
            not_passed_on: ctx.variable_names().filter(unwanted).map(str::to_owned).collect(),
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

    /// Builds a handler and says where its binary is.
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
        command.env("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH).env("CARGO_TERM_PROGRESS_WHEN", "never");

        let mut said = Vec::new();
        let status = child::run(&mut command, cancel, |line| {
            tracing::debug!("{line}");
            match line.trim_start().split(' ').next() {
                Some("Compiling") => progress.advance(1),
                Some("Blocking") => progress.note("waiting for another cargo that is at work here"),
                _ => {
                    said.push(line.to_owned());
                }
            }
        });
        let status = status.await.map_err(missing)?;
        if !status.success() {
            let from = said.len().saturating_sub(LAST_LINES);
            return Err(Error::unexpected(format!("cargo could not build {} for {architecture}", handler.name))
                .details(&said[from..])
                .hint("the whole output: run it again with -v"));
        }
        Ok(builder.binary(&target_directory, triple, PROFILE, &handler.name))
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
        command.current_dir(folder).env("CARGO_TERM_COLOR", "never");
        for name in &self.not_passed_on {
            command.env_remove(name);
        }
        command
    }
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
