//! What every test of Terraform needs, prepared once: the provider, and the configuration that finds it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::real;
use crate::run::Running;
use crate::support::once::once;

/// The version whose schema the provider has: `tests/terraform-provider/requirements.txt`.
pub const VERSION: &str = "6.69.1";
const SCHEMA: &str = "schema.json";
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/terraform-provider");

/// `real` has the tests run with the provider that everybody uses; `tests/run --with-provider` sets it.
const SWITCH: &str = "CLAIMCTL_TEST_PROVIDER";

pub struct Installation {
    /// Terraform's own configuration: where providers come from.
    config: PathBuf,
    pub provider: Provider,
}

/// What answers as `hashicorp/aws`.
pub enum Provider {
    /// That of `tests/terraform-provider`, with its schema: a folder stands for AWS.
    Double { schema: PathBuf },
    /// The real one: a sandbox stands for AWS.
    Real,
}

impl Installation {
    /// Fails with what to install where something is missing: a check that is left out proves nothing.
    pub fn get() -> &'static Installation {
        static INSTALLATION: OnceLock<Installation> = OnceLock::new();
        INSTALLATION.get_or_init(Installation::prepare)
    }

    /// The variables with which any Terraform finds the provider, also one that claimctl starts. The folder stands for
    /// AWS.
    pub fn environment(&self, cloud: &Path) -> Vec<(&'static str, PathBuf)> {
        let mut environment = vec![("TF_CLI_CONFIG_FILE", self.config.clone()), ("CHECKPOINT_DISABLE", "1".into())];
        // A Terraform that lives for a second spends a sixth of it on collecting garbage.
        environment.extend([("GOGC", "off".into()), ("GOMEMLIMIT", "256MiB".into())]);
        if let Provider::Double { schema } = &self.provider {
            environment.extend([
                ("TF_DISABLE_PLUGIN_TLS", "1".into()),
                ("TEST_PROVIDER_SCHEMA", schema.clone()),
                ("TEST_PROVIDER_WORLD", cloud.to_owned()),
            ]);
        }
        environment
    }

    fn prepare() -> Installation {
        assert!(
            is_installed("terraform"),
            "terraform is not installed, and the tests of the Terraform part need it: install version 1.10 or later, \
             for example with Go: go install github.com/hashicorp/terraform@v1.11.4"
        );
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("terraform");
        std::fs::create_dir_all(&folder).unwrap();
        match std::env::var(SWITCH).as_deref() {
            Err(_) => {
                let config = once("provider", || double(&folder)).into();
                Installation { config, provider: Provider::Double { schema: folder.join(SCHEMA) } }
            }
            Ok("real") => {
                Installation { config: once("real-provider", || real(&folder)).into(), provider: Provider::Real }
            }
            Ok(other) => panic!("{SWITCH}={other} is unknown: say real, or leave it out"),
        }
    }
}

/// Builds the test provider with its schema; the configuration of a Terraform that finds it.
fn double(folder: &Path) -> String {
    let provider = build();
    Command::new(python()).arg(Path::new(SOURCES).join("derive.py")).arg(folder).run().exits(0);
    configure(&folder.join("terraform.rc"), &[mirror(folder, &provider)])
}

/// The same for the real one.
fn real(folder: &Path) -> String {
    let mirrors = binaries().iter().map(|binary| real::mirror(&folder.join("real"), binary));
    configure(&folder.join("real.rc"), &mirrors.collect::<Vec<_>>())
}

/// What the stacks are tried with: Terraform, and OpenTofu where it is installed.
pub fn binaries() -> &'static [&'static str] {
    static BOTH: OnceLock<bool> = OnceLock::new();
    if *BOTH.get_or_init(|| is_installed("tofu")) { &["terraform", "tofu"] } else { &["terraform"] }
}

fn is_installed(binary: &str) -> bool {
    Command::new(binary).args(["version", "-json"]).env("CHECKPOINT_DISABLE", "1").output().is_ok()
}

/// A filesystem mirror with the test provider, for either registry.
fn mirror(folder: &Path, provider: &Path) -> PathBuf {
    let mirror = folder.join("mirror");
    for registry in ["registry.terraform.io", "registry.opentofu.org"] {
        let place = mirror.join(registry).join("hashicorp/aws").join(VERSION).join(platform());
        std::fs::create_dir_all(&place).unwrap();
        let link = place.join(format!("terraform-provider-aws_v{VERSION}"));
        // Another run may be using it.
        if std::fs::read_link(&link).ok().as_deref() != Some(provider) {
            std::fs::remove_file(&link).ok();
            std::os::unix::fs::symlink(provider, link).unwrap();
        }
    }
    mirror
}

/// Has providers come from these mirrors and from nowhere else.
fn configure(config: &Path, mirrors: &[PathBuf]) -> String {
    let blocks = mirrors.iter().map(|path| format!("  filesystem_mirror {{\n    path = {path:?}\n  }}\n"));
    let text = format!("provider_installation {{\n{}}}\n", blocks.collect::<String>());
    if std::fs::read_to_string(config).ok().as_ref() != Some(&text) {
        std::fs::write(config, text).unwrap();
    }
    config.to_str().unwrap().to_owned()
}

/// The Python that the sandbox is made with.
pub fn python() -> OsString {
    std::env::var_os("CLAIMCTL_PYTHON").unwrap_or("python3".into())
}

/// Where `tests/run` has built it, nothing is left to do: cargo builds a package's programs for its tests, and
/// `plugin` is the test of this one.
fn build() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--quiet", "--locked", "--no-run", "--test", "plugin"]);
    cargo.args(["--package", "loopback", "--package", "terraform-provider-aws"]);
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).run().exits(0);
    Path::new(env!("CARGO_BIN_EXE_claimctl")).with_file_name("terraform-provider-aws")
}

/// As Terraform names it.
fn platform() -> String {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let machine = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        "x86_64" => "amd64",
        other => other,
    };
    format!("{system}_{machine}")
}
