//! What `terraform init` has left is made again where it is gone, and what the operator's shell says reaches Terraform.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::bad_input::fake;
use super::state::deployed;
use crate::run::Running;
use crate::server::Server;
use crate::site::Site;

const PLAN: &str = "plan small --env dev";

/// The one folder of a provider's program.
fn platform(data: &Path) -> PathBuf {
    let below = walkdir::WalkDir::new(data.join("providers")).min_depth(5).max_depth(5);
    below.into_iter().next().unwrap().unwrap().into_path()
}

fn remove(path: &Path) {
    let removed = match path.is_symlink() || path.is_file() {
        true => std::fs::remove_file(path),
        false => std::fs::remove_dir_all(path),
    };
    removed.unwrap();
}

#[test]
fn whatever_init_has_left_is_made_again_where_it_is_gone() {
    let server = Server::up();
    let site = deployed(&server, "", &["one"]);
    let write = |path: &str, text: &str| site.project.write(&format!("terraform/stacks/small/{path}"), text);
    write("part/main.tf", "variable \"v\" {\n  default = \"\"\n}\n");
    let call = |name: &str| write("call.tf", &format!("module \"{name}\" {{\n  source = \"./part\"\n}}\n"));
    call("a");
    site.run(PLAN).exits(0);
    let data = site.data("small");
    let gone: [(&str, &dyn Fn()); 6] = [
        ("the backend's record", &|| remove(&data.join("terraform.tfstate"))),
        ("the modules", &|| remove(&data.join("modules"))),
        ("the providers", &|| remove(&data.join("providers"))),
        ("what a link leads to", &|| {
            let platform = platform(&data);
            remove(&platform);
            symlink("/nowhere/at/all", platform).unwrap();
        }),
        ("the lock file", &|| remove(&site.project.path().join("terraform/stacks/small/.terraform.lock.hcl"))),
        ("a module's call of that name", &|| call("b")),
    ];
    for (what, take_away) in gone {
        take_away();
        let again = site.run(PLAN);
        assert_eq!(again.code, 0, "{what}: {}", again.stderr);
    }
}

#[test]
fn where_terraform_asks_for_init_the_next_run_does_it() {
    let server = Server::up();
    let site = deployed(&server, "", &["one"]);
    let once = "[[ $1 == plan && ! -e asked ]] && { touch asked; echo 'run: terraform init' >&2; exit 1; }\n\
                [[ $1 == init ]] && touch initialised";
    fake(&site, once);
    let initialised = site.project.path().join("terraform/stacks/small/initialised");
    let _ = std::fs::remove_file(&initialised);
    let told = site.run(PLAN).fails_with(1, "Terraform could not plan small in dev").says("initialises it again");
    let _ = std::fs::remove_file(&initialised);
    site.follows(&told, "initialises it again: ").exits(0);
    assert!(initialised.exists());
}

/// A program in front of Terraform, in a folder of the project.
fn wrapper(site: &Site<'_>, script: &str) {
    let path = site.project.path().join("bin/front");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, format!("#!/bin/bash\n{script}\nexec terraform \"$@\"\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let toml = site.project.read("claimctl.toml");
    let toml = toml.split("[terraform]").next().unwrap();
    site.project.write("claimctl.toml", &format!("{toml}[terraform]\nbinary = \"bin/front\"\n"));
}

#[test]
fn paths_and_variables_of_the_shell_mean_what_they_mean_where_one_stands() {
    let server = Server::up();
    let site = deployed(&server, "", &["one"]);
    wrapper(&site, "");
    let mut plan = site.claimctl(PLAN);
    let config = plan.get_envs().find(|(name, _)| *name == "TF_CLI_CONFIG_FILE").unwrap().1.unwrap().to_owned();
    std::fs::copy(config, site.project.path().join("here.rc")).unwrap();
    plan.env("TF_CLI_CONFIG_FILE", "here.rc").env("TF_LOG", "warn").env("TF_LOG_PATH", "terraform.log");
    plan.env("TF_CLI_ARGS", "-no-such-flag").env("TF_CLI_ARGS_version", "-no-such-flag");
    plan.run().exits(0);
    assert!(site.project.path().join("terraform.log").exists());
    let mut doctor = site.claimctl("doctor --env dev -o json");
    let checks = doctor.env("TF_CLI_ARGS", "-no-such-flag").run().stdout;
    assert!(checks.contains("bin/front 1."), "{checks}");
}

#[test]
fn a_program_in_front_of_terraform_may_speak_and_is_heard() {
    let server = Server::up();
    let site = deployed(&server, "", &["one"]);
    wrapper(&site, "echo 'using version 1.11.4'");
    site.run(PLAN).exits(0).says("note: bin/front says: using version 1.11.4");
    site.run("state show small --env dev").exits(0).says("aws_sqs_queue.q");
    site.run("output small --env dev").exits(0).says("one");
    wrapper(&site, "[[ $1 == plan ]] && { printf '\\e[31m\\e[1mError: \\e[0mno luck\\e[0m\\n' >&2; exit 1; }");
    let failed = site.run(PLAN).fails_with(1, "Error: no luck");
    assert!(!failed.stderr.contains('\u{1b}') && !failed.stderr.contains("\\u{1b}"), "{}", failed.stderr);
}

#[test]
fn what_terraform_reads_is_read() {
    let server = Server::up();
    let site = deployed(&server, "", &["one"]);
    let change = |path: &str, before: &[u8], after: &str| {
        let path = site.project.path().join(path);
        let text = std::fs::read(&path).unwrap_or_default();
        std::fs::write(&path, [before, &text, after.as_bytes()].concat()).unwrap();
    };
    const MARK: &[u8] = b"\xef\xbb\xbf";
    change("terraform/stacks/small/main.tf", b"\xef\xbb\xbf# caf\xe9\n", "locals {\n  a = <<EOT\nEOTX\nEOT\n}\n");
    change("terraform/backends/dev.s3.tfbackend", MARK, "");
    std::fs::write(site.project.path().join("terraform/environments/dev.tfvars"), MARK).unwrap();
    site.run(PLAN).exits(0).says("small: nothing to do");
}

#[test]
fn a_lock_file_that_was_committed_stays_and_one_that_is_missing_is_told() {
    let server = Server::up();
    let site = deployed(&server, "", &["one"]);
    wrapper(&site, "[[ $1 == init ]] && echo \"$*\" >> ../../../said");
    let lock = site.project.path().join("terraform/stacks/small/.terraform.lock.hcl");
    let plan = || {
        let mut plan = site.claimctl(PLAN);
        plan.env("CLAIMCTL_TERRAFORM_LOCK_FILE", "readonly").run().exits(0)
    };
    plan();
    assert!(site.project.read("said").contains("-lockfile=readonly"));
    std::fs::remove_file(&lock).unwrap();
    std::fs::remove_file(site.project.path().join("said")).unwrap();
    plan().says("there is no .terraform.lock.hcl in").says("commit it");
    assert!(!site.project.read("said").contains("-lockfile"));
}
