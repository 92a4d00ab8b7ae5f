//! Bad input, each tried: what is wrong is named, nothing is done, and nothing secret is left.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Run, Running};
use crate::server::Server;
use crate::site::{STATE, Site};
use crate::world::wait_for;

/// A `terraform` that does what the real one cannot be made to do, and hands on the rest.
pub fn fake(site: &Site<'_>, script: &str) {
    let path = site.project.path().join("fake-terraform");
    std::fs::write(&path, format!("#!/bin/bash\n{script}\nexec terraform \"$@\"\n")).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let toml = site.project.read("claimctl.toml");
    let toml = toml.split("[terraform]").next().unwrap();
    site.project.write("claimctl.toml", &format!("{toml}[terraform]\nbinary = \"{}\"\n", path.display()));
}

fn plan(site: &Site<'_>, more: &str) -> Run {
    site.run(&format!("plan claim-check --env dev --artifact {} {more}", site.zip("one").display()))
}

/// Everything below a folder whose name says that it is a plan.
fn plans(folder: &Path) -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(folder).into_iter().flatten().map(walkdir::DirEntry::into_path);
    files.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("plan"))).collect()
}

#[test]
fn a_program_that_is_too_old_or_says_nothing_of_use_is_told() {
    let server = Server::up();
    let site = Site::new(&server);
    for version in ["{\"terraform_version\":\"1.9.8\"}", "{\"terraform_version\":\"1.9.0\",\"platform\":\"x\"}"] {
        fake(&site, &format!("[[ $1 == version ]] && {{ echo '{version}'; exit; }}"));
        plan(&site, "").fails_with(2, "and 1.10 is the least").says("install Terraform 1.10 or later");
    }
    // As a wrapper does that keeps the output to itself, or prints its own.
    fake(&site, "[[ $1 == plan ]] && { echo 'No changes.'; exit; }");
    plan(&site, "").fails_with(1, "ended without a word in JSON").says("| No changes.");
    fake(&site, "[[ $1 == plan ]] && { echo 'panic: runtime error'; echo 'goroutine 1 [running]:' >&2; exit 11; }");
    plan(&site, "").fails_with(1, "Terraform could not plan").says("| panic: runtime error");
    let version = "{\"type\":\"version\",\"@message\":\"Terraform 1.11.4\"}";
    fake(
        &site,
        &format!("[[ $1 == plan ]] && {{ echo '{version}'; exit 2; }}; [[ $1 == show ]] && {{ echo '[]'; exit; }}"),
    );
    plan(&site, "").fails_with(1, "is not what claimctl reads");
    assert_eq!(plans(&site.project.path().join("state")), Vec::<PathBuf>::new());
}

#[test]
fn an_apply_that_crashed_is_no_deployment_and_what_it_made_stays_known() {
    let server = Server::up();
    let site = Site::new(&server);
    site.with_small("crashing");
    let hook = r#""hook":{"resource":{"addr":"aws_sqs_queue.dead"},"action":"create","id_key":"id","id_value":"u"}"#;
    let events = format!(
        "{{\"type\":\"version\"}}\n{{\"type\":\"apply_start\",{hook}}}\n{{\"type\":\"apply_complete\",{hook}}}"
    );
    // What a fatal error of Go's runtime ends with, and Terraform after a panic.
    for code in [2, 11] {
        fake(
            &site,
            &format!("[[ $1 == apply ]] && {{ echo '{events}'; echo 'fatal error: all asleep' >&2; exit {code}; }}"),
        );
        let run = site.run("deploy crashing --env dev --yes").exits(3).says("Terraform could not apply the plan");
        assert!(!run.says("fatal error: all asleep").stdout.contains("deployed"));
        let notes = site.data("crashing").join("applying.jsonl");
        assert!(std::fs::read_to_string(&notes).unwrap().contains("aws_sqs_queue.dead"), "exit code {code}");
        std::fs::remove_file(notes).unwrap();
    }
}

#[test]
fn how_long_to_wait_for_the_lock_is_handed_on_to_the_apply() {
    let server = Server::up();
    let site = Site::new(&server);
    site.with_small("waiting");
    fake(&site, "[[ $1 == apply ]] && echo \"$@\" > arguments");
    site.run("deploy waiting --env dev --yes --parallelism 3 -- -lock-timeout=7s -refresh=true").exits(0);
    let arguments = site.project.read("terraform/stacks/waiting/arguments");
    assert!(arguments.contains(" -parallelism=3 -lock-timeout=7s /"), "{arguments}");
}

/// What Terraform's S3 backend says in such a case, word for word but for the names.
fn backend_says(site: &Site<'_>, verb: &str, api_error: &str) {
    let said = format!(
        "Error: Error refreshing state: Unable to access object \\\"a.tfstate\\\" in S3 bucket \\\"b\\\": operation error \
         S3: GetObject, https response error StatusCode: 400, RequestID: X, HostID: Y, api error {api_error}"
    );
    fake(site, &format!("[[ $1 == {verb} ]] && {{ echo \"{said}\" >&2; exit 1; }}"));
}

#[test]
fn a_state_that_the_credentials_cannot_reach_or_decrypt_is_told() {
    let server = Server::up();
    let site = Site::new(&server);
    for error in [
        "KMS.DisabledException: arn:aws:kms:us-west-1:111111111111:key/1 is disabled.",
        "KMS.KMSInvalidStateException: arn:aws:kms:us-west-1:111111111111:key/1 is pending deletion.",
        "KMS.NotFoundException: Key 'arn:aws:kms:us-west-1:111111111111:key/1' does not exist",
        "AccessDenied: User: arn:aws:sts::111111111111:assumed-role/me is not authorized to perform: kms:Decrypt",
    ] {
        backend_says(&site, "init", error);
        plan(&site, "").fails_with(6, "Terraform could not initialise").says("the KMS key cannot be used").says(error);
    }
    fake(&site, "");

    // The bucket of another account.
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint("us-west-1".into()).build();
    let theirs = server.s3("222222222222", "us-west-1");
    wait_for(theirs.create_bucket().bucket("theirs").create_bucket_configuration(place).send()).unwrap();
    let backend = site.project.read("terraform/backends/dev.s3.tfbackend");
    site.project.write("terraform/backends/dev.s3.tfbackend", &backend.replace(STATE, "theirs"));
    plan(&site, "").fails_with(6, "theirs").says("another account");
    assert!(site.root.cloud.is_empty());
}

#[test]
fn files_that_are_not_what_they_should_be_are_named() {
    let server = Server::up();
    let site = Site::with(
        &server,
        "[stacks.claim-check]\ndepends_on = [\"fan-out\"]\n[stacks.fan-out]\ndepends_on = [\"claim-check\"]\n",
    );
    site.run("deploy --all --env dev --yes").fails_with(2, "depend on each other in a circle: claim-check, fan-out");
    std::fs::create_dir(site.project.path().join("terraform/stacks/hollow")).unwrap();
    site.run("plan hollow --env dev").fails_with(5, "there is no stack \"hollow\"");
    site.run("plan claim-check --env dev --env prod").exits(2).says("cannot be used multiple times");

    let values = site.project.read("terraform/environments/dev.tfvars");
    for broken in ["region = \n", "region = \"us-west-1\n", "}"] {
        site.project.write("terraform/environments/dev.tfvars", broken);
        plan(&site, "").fails_with(2, "dev.tfvars is not valid HCL");
    }
    site.project.write("terraform/environments/dev.tfvars", &values);
    for junk in ["", "\u{0}\u{1}", "bucket", "bucket = [1]\n", "{\"bucket\": 1}"] {
        site.project.write("terraform/backends/dev.s3.tfbackend", junk);
        plan(&site, "").fails_with(5, "nothing says where environment dev keeps its state");
    }
    std::fs::write(site.project.path().join("terraform/backends/dev.s3.tfbackend"), b"bucket = \"\xff\"").unwrap();
    assert_ne!(plan(&site, "").code, 0);
}

#[test]
fn a_plan_file_that_is_none_is_told() {
    let server = Server::up();
    let site = Site::new(&server);
    let apply = |file: &str| site.run(&format!("deploy claim-check --env dev --yes --plan-file {file}"));
    let here = |name: &str| site.project.path().join(name);
    std::fs::create_dir(here("folder")).unwrap();
    // The whole path, so that the command does the same in any folder.
    let anew = format!("make a new one: claimctl plan claim-check --plan-file {} --env dev", here("folder").display());
    apply("folder").fails_with(2, "cannot read").says(&anew);
    apply("nowhere/plan").fails_with(5, "nowhere/plan");
    plan(&site, "--plan-file p").exits(0);
    std::fs::write(here("p"), "").unwrap();
    apply("p").fails_with(4, "is not the plan that was made");
    std::fs::write(here("p.json"), "{}").unwrap();
    apply("p").fails_with(2, "is not what was written beside a plan");
    plan(&site, "--plan-file folder").exits(2).says("folder");
    plan(&site, "--plan-file folder/p --markdown nowhere/p.md").exits(5).says("nowhere/p.md");
    assert!(site.root.cloud.is_empty());
}

#[test]
fn addresses_are_taken_with_their_keys_and_those_of_nothing_are_told() {
    let server = Server::up();
    let site = Site::new(&server);
    let zip = site.zip("one");
    let target = |address: &str| {
        let mut plan = site.claimctl(&format!("plan claim-check --env dev --artifact {} --target", zip.display()));
        plan.arg(address).run()
    };
    target("module.alarms.aws_cloudwatch_metric_alarm.this[\"claim-recorder-errors\"]").exits(0).says("to create");
    target("module.alarms.aws_cloudwatch_metric_alarm.this[\"claim-recorder-eror\"]")
        .fails_with(5, "has nothing at")
        .says("what there is: claimctl plan claim-check --env dev");
    target("module.tabel").fails_with(5, "has nothing at module.tabel").says("did you mean module.table?");
    target("module.key[0]").exits(0);
    target("module.key[7]").fails_with(5, "has nothing at module.key[7]");
    for wrong in ["module.key[0", "", "a b", "module.key[0].'x'"] {
        let run = target(wrong);
        assert!(run.code != 0 && !run.stderr.contains("panicked"), "{wrong}: {} {}", run.code, run.stderr);
    }
}

#[test]
fn what_the_shell_or_the_end_of_the_line_sets_does_not_lead_past_the_guards() {
    let server = Server::up();
    let site = Site::new(&server);
    for ours in [
        "-chdir=/tmp",
        "--state=x",
        "-input=true",
        "-target=module.nothing",
        "-help",
        "-var-file=x",
        "-json=false",
        "-invoke=action.aws_lambda_invoke.x",
        "-generate-config-out=x.tf",
    ] {
        plan(&site, &format!("-- {ours}")).fails_with(2, &format!("{ours} is claimctl's to decide"));
    }
    plan(&site, "-- -refresh=false -lock=false").exits(0).says("31 to create");
    assert_ne!(plan(&site, "-- stray").code, 0);

    let zip = site.zip("one");
    let mut shell = site.claimctl(&format!("plan claim-check --env dev -o json --artifact {}", zip.display()));
    shell.env("TF_VAR_account", "222222222222").env("TF_VAR_region", "eu-west-1").env("TF_VAR_unknown", "x");
    let plain = shell.run().exits(0);
    assert!(!plain.stderr.contains("TF_VAR_"), "{}", plain.stderr);
    let told = shell.env("TF_VAR_deletion_protection", "true").env("TF_VAR_timeout", "77").run().exits(0);
    told.says("note: the shell sets variables of the stack: TF_VAR_deletion_protection, TF_VAR_timeout");
}

/// A shell that sees a file system of `size` at `folder`, where that may be mounted.
fn with_little_room(folder: &Path, size: &str, command: &Command) -> Option<Command> {
    let mut tried = Command::new("unshare");
    tried.args(["--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none"]).arg(folder);
    if !tried.output().is_ok_and(|output| output.status.success()) {
        eprintln!("left out: no file system may be mounted here, so a full disk is not tried");
        return None;
    }
    let mut shell = Command::new("unshare");
    let script = "mount -t tmpfs -o size=$1 none \"$2\" && shift 2 && \"$@\"; code=$?; find \"$FULL\" -printf 'left: %f\\n' >&2; exit $code";
    shell.args(["--user", "--map-root-user", "--mount", "bash", "-c", script, "bash", size]).arg(folder);
    shell.arg(command.get_program()).args(command.get_args()).env("FULL", folder);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.current_dir(command.get_current_dir().unwrap());
    Some(shell)
}

#[test]
fn a_full_disk_is_told_and_leaves_no_secret() {
    let server = Server::up();
    let site = Site::new(&server);
    let zip = site.zip("one");
    let full = site.project.path().join("full");
    std::fs::create_dir(&full).unwrap();
    let line = format!("plan claim-check --env dev --artifact {} --plan-file full/p", zip.display());
    let Some(mut command) = with_little_room(&full, "8k", &site.claimctl(&line)) else { return };
    let run = command.run().exits(1).says("full/p").says("No space left on device");
    let left = |run: &Run| run.stderr.lines().filter(|line| line.starts_with("left: ")).skip(1).count();
    assert_eq!(left(&run), 0, "{}", run.stderr);

    // Where claimctl and Terraform work.
    let line = format!("plan claim-check --env dev --artifact {}", zip.display());
    let mut told = 0;
    for size in ["4k", "16k", "32k", "64k", "80k", "96k", "128k"] {
        let mut claimctl = site.claimctl(&line);
        claimctl.env("XDG_STATE_HOME", &full);
        let run = with_little_room(&full, size, &claimctl).unwrap().run();
        let whole = run.code == 0 && run.stdout.contains("31 to create");
        let refused = run.code == 1 && run.stderr.to_lowercase().contains("no space left on device");
        assert!(whole || refused, "{size}: {} {}", run.code, run.stderr);
        assert!(run.stderr.contains("left: full") && !run.stderr.contains("left: plan"), "{size}: {}", run.stderr);
        told += u32::from(refused);
    }
    assert!(told >= 3, "{told}");
    assert!(site.root.cloud.is_empty());
    assert_eq!(site.object(STATE, "claim-check/dev/claim-check.tfstate.tflock"), None);
    plan(&site, "").exits(0);
}
