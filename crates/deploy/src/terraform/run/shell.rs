//! What of the operator's shell reaches Terraform, and that it means there what it means where they stand: Terraform is
//! started in the folder of a stack, and a path that is not absolute would count from that.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use claimctl_core::context::Context;
use tokio::process::Command;

use crate::terraform::variables::{PLACE, VARIABLE};

/// Variables of the shell that would change what Terraform does, or where. The endpoints of single services are those
/// of the S3 backend and of older providers (Terraform documentation, "Backend type: s3").
const MISLEADING: [&str; 11] = [
    "TF_INPUT",
    "TF_DATA_DIR",
    "TF_WORKSPACE",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    IGNORE_ENDPOINTS,
    "AWS_S3_ENDPOINT",
    "AWS_DYNAMODB_ENDPOINT",
    "AWS_STS_ENDPOINT",
    "AWS_IAM_ENDPOINT",
];

/// The same by what their names begin with: of each verb, and of each service.
const MISLEADING_KINDS: [&str; 2] = ["TF_CLI_ARGS", "AWS_ENDPOINT_URL"];

/// Leaves out `endpoint_url` and `services` of `~/.aws/config`, and all of the variables (AWS SDKs and Tools Reference
/// Guide, "Service-specific endpoints").
pub const IGNORE_ENDPOINTS: &str = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS";

/// Files and folders that Terraform, its backend or the SDK of its providers read or write (Terraform documentation,
/// "Environment Variables"; AWS SDKs and Tools Reference Guide, "Environment variables support"; Go, crypto/x509).
const PATHS: [&str; 9] = [
    "TF_CLI_CONFIG_FILE",
    "TERRAFORM_CONFIG",
    "TF_LOG_PATH",
    "TF_PLUGIN_CACHE_DIR",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CA_BUNDLE",
    "SSL_CERT_FILE",
];
/// The same of several, one after the other.
const LISTS: [&str; 2] = ["PATH", "SSL_CERT_DIR"];

#[derive(Default)]
pub struct Shell {
    unset: Vec<String>,
    paths: Vec<(&'static str, OsString)>,
}

impl Shell {
    pub fn of(ctx: &Context) -> Shell {
        let here = &ctx.working_directory;
        let set = |name: &'static str| Some((name, ctx.variables.os(name).filter(|value| !value.is_empty())?));
        let paths = PATHS.into_iter().filter_map(set).map(|(name, path)| (name, from(here, Path::new(path)).into()));
        let lists = LISTS.into_iter().filter_map(set).filter_map(|(name, list)| {
            let all = std::env::split_paths(list).map(|path| from(here, &path));
            Some((name, std::env::join_paths(all).ok()?))
        });
        Shell {
            unset: ctx.variable_names().filter(|name| is_misleading(name)).map(str::to_owned).collect(),
            paths: paths.chain(lists).collect(),
        }
    }

    pub fn apply_to(&self, command: &mut Command) {
        for name in &self.unset {
            command.env_remove(name);
        }
        command.envs(self.paths.iter().map(|(name, value)| (name, value)));
    }
}

/// The program: a name is looked for on the PATH, and a path counts from where the operator stands.
pub fn program(ctx: &Context, binary: &str) -> PathBuf {
    match binary.contains('/') {
        true => from(&ctx.working_directory, Path::new(binary)),
        false => PathBuf::from(binary),
    }
}

/// Asks a program for its version: with what it is started with later, but for the place and the credentials. What is
/// found on the PATH may be a version manager's, which starts another version in another folder.
pub fn version_command(ctx: &Context, binary: &str, folder: &Path) -> Command {
    let mut command = Command::new(program(ctx, binary));
    command.args(["version", "-json"]).current_dir(folder);
    Shell::of(ctx).apply_to(&mut command);
    // It would ask its maker for a newer one.
    command.env("CHECKPOINT_DISABLE", "1");
    command
}

/// What begins with `~` is for whoever reads it.
fn from(here: &Path, path: &Path) -> PathBuf {
    match path.starts_with("~") {
        true => path.to_owned(),
        false => here.join(path),
    }
}

fn is_misleading(name: &str) -> bool {
    MISLEADING.contains(&name)
        || MISLEADING_KINDS.iter().any(|kind| name.starts_with(kind))
        || name.strip_prefix("TF_AWS_").is_some_and(|rest| rest.ends_with("_ENDPOINT"))
        || name.strip_prefix(VARIABLE).is_some_and(|variable| PLACE.contains(&variable))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use claimctl_core::cancel::Cancel;
    use claimctl_core::context::Variables;
    use claimctl_core::progress::Silent;

    use super::*;

    #[test]
    fn nothing_of_the_shell_leads_terraform_elsewhere() {
        for name in [
            "AWS_ENDPOINT_URL",
            "AWS_ENDPOINT_URL_SQS",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
            "AWS_S3_ENDPOINT",
            "AWS_DYNAMODB_ENDPOINT",
            "AWS_STS_ENDPOINT",
            "AWS_IAM_ENDPOINT",
            "TF_AWS_SQS_ENDPOINT",
            "AWS_PROFILE",
            "TF_CLI_ARGS",
            "TF_CLI_ARGS_plan",
            "TF_CLI_ARGS_version",
            "TF_VAR_account",
        ] {
            assert!(is_misleading(name), "{name}");
        }
        for name in ["PATH", "TF_CLI_CONFIG_FILE", "AWS_CA_BUNDLE", "AWS_USE_FIPS_ENDPOINT", "TF_VAR_timeout"] {
            assert!(!is_misleading(name), "{name}");
        }
    }

    #[test]
    fn paths_count_from_where_the_operator_stands() {
        let given = [
            ("HOME", "/home/me"),
            ("TF_CLI_CONFIG_FILE", "ci/terraform.rc"),
            ("TF_LOG_PATH", "../terraform.log"),
            ("TF_PLUGIN_CACHE_DIR", "/cache"),
            ("AWS_CONFIG_FILE", "~/.aws/config"),
            ("AWS_CA_BUNDLE", ""),
            ("PATH", "bin:/usr/bin"),
            ("TF_CLI_ARGS", "-no-color"),
            ("TF_LOG", "trace"),
        ];
        let variables = Variables::from_iter(given);
        let mut ctx = Context::new(variables, Vec::new(), Arc::new(Silent), Cancel::default()).unwrap();
        ctx.working_directory = PathBuf::from("/here");
        let command = version_command(&ctx, "bin/terraform", Path::new("/stack"));
        let command = command.as_std();
        assert_eq!(command.get_program(), "/here/bin/terraform");
        let set: Vec<(&str, Option<&str>)> = command
            .get_envs()
            .map(|(name, value)| (name.to_str().unwrap(), value.map(|value| value.to_str().unwrap())))
            .collect();
        let expected = [
            ("AWS_CONFIG_FILE", Some("~/.aws/config")),
            ("CHECKPOINT_DISABLE", Some("1")),
            ("PATH", Some("/here/bin:/usr/bin")),
            ("TF_CLI_ARGS", None),
            ("TF_CLI_CONFIG_FILE", Some("/here/ci/terraform.rc")),
            ("TF_LOG_PATH", Some("/here/../terraform.log")),
            ("TF_PLUGIN_CACHE_DIR", Some("/cache")),
        ];
        assert_eq!(set, expected);
        for (binary, is) in [("terraform", "terraform"), ("./tofu", "/here/./tofu"), ("/opt/tofu", "/opt/tofu")] {
            assert_eq!(program(&ctx, binary), Path::new(is));
        }
    }
}
