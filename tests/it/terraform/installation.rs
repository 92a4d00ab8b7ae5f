//! What every test of Terraform needs, prepared once: the provider, its schema, and the configuration that finds them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::run::Running;

/// The version whose schema the provider has: `tests/terraform-provider/requirements.txt`.
const VERSION: &str = "6.69.1";
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/terraform-provider");

pub struct Installation {
    /// Terraform's own configuration: where providers come from.
    config: PathBuf,
    schema: PathBuf,
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
        vec![
            ("TF_CLI_CONFIG_FILE", self.config.clone()),
            ("TF_DISABLE_PLUGIN_TLS", "1".into()),
            ("CHECKPOINT_DISABLE", "1".into()),
            ("TEST_PROVIDER_SCHEMA", self.schema.clone()),
            ("TEST_PROVIDER_WORLD", cloud.to_owned()),
        ]
    }

    fn prepare() -> Installation {
        let version = Command::new("terraform").args(["version", "-json"]).env("CHECKPOINT_DISABLE", "1").output();
        assert!(
            version.is_ok(),
            "terraform is not installed, and the tests of the Terraform part need it: install version 1.10 or later, \
             for example with Go: go install github.com/hashicorp/terraform@v1.11.4"
        );
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("terraform");
        std::fs::create_dir_all(&folder).unwrap();
        // Another run of the tests may prepare the same; the lock goes when the file is closed.
        let lock = std::fs::File::create(folder.join("lock")).unwrap();
        lock.lock().unwrap();
        let provider = build();
        Command::new(python()).arg(Path::new(SOURCES).join("derive.py")).arg(&folder).run().exits(0);
        let mirror = folder.join("mirror");
        for registry in ["registry.terraform.io", "registry.opentofu.org"] {
            let place = mirror.join(registry).join("hashicorp/aws").join(VERSION).join(platform());
            std::fs::create_dir_all(&place).unwrap();
            let link = place.join(format!("terraform-provider-aws_v{VERSION}"));
            // Another run may be using it.
            if std::fs::read_link(&link).ok().as_ref() != Some(&provider) {
                std::fs::remove_file(&link).ok();
                std::os::unix::fs::symlink(&provider, link).unwrap();
            }
        }
        let config = folder.join("terraform.rc");
        let text = format!("provider_installation {{\n  filesystem_mirror {{\n    path = {mirror:?}\n  }}\n}}\n");
        if std::fs::read_to_string(&config).ok().as_ref() != Some(&text) {
            std::fs::write(&config, text).unwrap();
        }
        Installation { config, schema: folder.join("schema.json") }
    }
}

/// The Python that the sandbox is made with.
pub fn python() -> OsString {
    std::env::var_os("CLAIMCTL_PYTHON").unwrap_or("python3".into())
}

/// Beside the product's target folder: the provider's dependencies are its own.
fn build() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("provider");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--manifest-path"]).arg(Path::new(SOURCES).join("Cargo.toml"));
    cargo.arg("--target-dir").arg(&target).run().exits(0);
    target.join("debug/terraform-provider-aws")
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
