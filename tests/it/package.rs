//! `package build`: the same sources, the same zip; and what it says where it cannot build.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, test_kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::run::{Running, claimctl, eventually, finish, signal};

/// A repository with one small handler, `sink`, whose build script makes a part of the source.
struct Repository(TempDir);

const CARGO_TOML: &str = "[package]\nname = \"pipeline\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
    [package.metadata.claimctl]\nhandlers = true\n[[bin]]\nname = \"sink\"\npath = \"sink.rs\"\n\
    [[example]]\nname = \"tool\"\npath = \"tool.rs\"\n[profile.lambda]\ninherits = \"release\"\nstrip = true\n";

/// Where it was compiled gets into the binary, unless that is prevented.
const BUILD_RS: &str = "fn main() { let out = std::env::var(\"OUT_DIR\").unwrap(); \
    std::fs::write(out + \"/made.rs\", \"const PLACE: &str = file!();\").unwrap(); }";

impl Repository {
    fn new() -> Repository {
        let repository = Repository(tempfile::tempdir().unwrap());
        repository.write("Cargo.toml", CARGO_TOML);
        repository.write("Cargo.lock", "version = 4\n\n[[package]]\nname = \"pipeline\"\nversion = \"0.1.0\"\n");
        repository.write("build.rs", BUILD_RS);
        repository.write(
            "sink.rs",
            "include!(concat!(env!(\"OUT_DIR\"), \"/made.rs\")); fn main() { println!(\"{PLACE}\"); }",
        );
        repository.write("tool.rs", "fn main() {}");
        repository
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    fn build<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = package_build(self.0.path());
        command.args(args).current_dir(self.0.path());
        command
    }
}

/// `package build` with the toolchain that runs this test, and none of what may be installed beside it.
fn package_build(home: &Path) -> Command {
    let mut command = claimctl(home);
    command.args(["package", "build"]);
    let cargo = PathBuf::from(std::env::var_os("CARGO").unwrap());
    command.env("RUSTC", cargo.with_file_name("rustc")).env("CARGO_HOME", home.join("cargo-home"));
    command
}

fn other_architecture() -> (&'static str, &'static str) {
    match std::env::consts::ARCH {
        "x86_64" => ("arm64", "aarch64-unknown-linux-gnu"),
        _ => ("x86_64", "x86_64-unknown-linux-gnu"),
    }
}

#[test]
fn two_folders_give_the_same_zip_with_one_program_in_it() {
    let [one, two]: [Value; 2] = [Repository::new(), Repository::new()].map(|repository| {
        let mut artifact = repository.build(["-o", "jsonl"]).run().exits(0).json_lines().remove(0);
        let path = PathBuf::from(artifact["path"].as_str().unwrap());
        assert!(path.starts_with(repository.0.path().join("target/artifacts")), "{path:?}");
        let zip = std::fs::read(&path).unwrap();
        assert_eq!(artifact["size"], zip.len());
        artifact["zip"] = zip.into();
        artifact
    });
    assert_eq!(one["handler"], "sink");
    assert_eq!(one["sha256"], two["sha256"]);
    assert_eq!(one["zip"], two["zip"]);

    let zip: Vec<u8> = serde_json::from_value(one["zip"].clone()).unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
    assert_eq!(archive.len(), 1);
    let mut program = Vec::new();
    archive.by_name("bootstrap").unwrap().read_to_end(&mut program).unwrap();
    assert_eq!(one["binary_size"], program.len());
    let folder = tempfile::tempdir().unwrap();
    let bootstrap = folder.path().join("bootstrap");
    std::fs::write(&bootstrap, program).unwrap();
    std::fs::set_permissions(&bootstrap, std::fs::Permissions::from_mode(0o755)).unwrap();
    let place = Command::new(&bootstrap).run().exits(0).stdout;
    assert!(place.starts_with("/target/"), "{place}");
}

#[test]
fn for_the_sandbox_cargo_builds_as_it_always_does_here() {
    let repository = Repository::new();
    let built = || repository.build(["--sandbox", "-o", "jsonl"]).run().exits(0).json_lines().remove(0);
    let artifact = built();
    let path = PathBuf::from(artifact["path"].as_str().unwrap());
    assert!(path.starts_with(repository.0.path().join("target/sandbox")), "{path:?}");
    assert!(path.ends_with(format!("sink-{}.zip", artifact["sha256"].as_str().unwrap())), "{path:?}");
    let mut archive = zip::ZipArchive::new(std::fs::File::open(&path).unwrap()).unwrap();
    let mut program = Vec::new();
    archive.by_name("bootstrap").unwrap().read_to_end(&mut program).unwrap();
    assert_eq!(program, std::fs::read(repository.0.path().join("target/release/sink")).unwrap());
    assert!(!repository.0.path().join("target/handlers").exists(), "built for Lambda too");
    assert_eq!(built()["sha256"], artifact["sha256"]);
    repository.build(["--sandbox", "--arch", "arm64"]).run().exits(2).says("cannot be used with");
}

#[test]
fn a_function_of_the_configuration_and_a_folder_of_choice() {
    let repository = Repository::new();
    repository.write("claimctl.toml", "[functions.loader]\nbinary = \"sink\"\n[functions.lost]\nbinary = \"snk\"\n");
    let built = repository.build(["loader", "sink", "--out", "zips", "-o", "json"]).run().exits(0).json();
    let artifacts = built["artifacts"].as_array().unwrap();
    assert_eq!(artifacts.len(), 1, "named twice, built once: {built}");
    let name = format!("sink-{}.zip", artifacts[0]["sha256"].as_str().unwrap());
    let zips: Vec<_> = std::fs::read_dir(repository.0.path().join("zips")).unwrap().collect();
    assert_eq!(zips.len(), 1);
    assert_eq!(zips[0].as_ref().unwrap().file_name().to_str(), Some(name.as_str()));

    repository.build(["lost"]).run().fails_with(2, "names binary \"snk\"").says("did you mean sink?");
    repository.build(["tool"]).run().fails_with(5, "there is no handler \"tool\"").says("known: sink");
    repository.build(["sinc"]).run().fails_with(5, "there is no handler \"sinc\"").says("did you mean sink?");
}

#[test]
fn sources_that_do_not_compile_fail_in_the_compilers_words() {
    let repository = Repository::new();
    repository.write("sink.rs", "fn main() { nowhere() }");
    repository
        .build([])
        .run()
        .exits(1)
        .says("error: cargo could not build sink")
        .says("cannot find function `nowhere`");
    assert!(!repository.0.path().join("target/artifacts").exists());
    repository.write("Cargo.toml", "[package\n");
    repository.build([]).run().exits(2).says("error: cargo cannot read the package").says("[package");
}

#[test]
fn outside_a_repository_it_says_what_it_needs() {
    let home = tempfile::tempdir().unwrap();
    package_build(home.path()).run().fails_with(2, "there is no Cargo package").says("inside the repository");
    let repository = Repository::new();
    repository.write("Cargo.toml", &CARGO_TOML.replace("handlers = true", "handlers = false"));
    repository.build([]).run().fails_with(2, "is a handler").says("[package.metadata.claimctl] handlers = true");
}

#[test]
fn without_cargo_it_says_where_to_get_it() {
    let repository = Repository::new();
    let mut build = repository.build([]);
    build.env_remove("CARGO").env("PATH", repository.0.path());
    build.run().fails_with(5, "cargo was not found").says("https://rustup.rs");
}

#[test]
fn another_processor_needs_a_builder_for_it() {
    let repository = Repository::new();
    let (arch, _) = other_architecture();
    let mut build = repository.build(["--arch", arch]);
    build.env("PATH", repository.0.path());
    build.run().fails_with(5, &format!("cannot build for {arch} yet")).says("pip install cargo-zigbuild");
}

#[test]
fn another_processor_goes_through_cargo_zigbuild_with_the_runtimes_glibc() {
    let repository = Repository::new();
    let (arch, triple) = other_architecture();
    let tools = repository.0.path().join("tools");
    let toolchain = repository.0.path().join("toolchain");
    std::fs::create_dir_all(toolchain.join("lib/rustlib").join(triple)).unwrap();
    std::fs::create_dir(&tools).unwrap();
    let script = |name: &str, text: &str| {
        let path = tools.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    // It has the standard library for the other processor; the builder only says how it was called.
    let sysroot = format!("[ \"$2\" = sysroot ] && echo {} || echo host: none", toolchain.display());
    let rustc = script("rustc", &sysroot);
    script("cargo-zigbuild", "[ \"$2\" = --help ] || { echo \"$@\" >&2; exit 1; }");
    let path = std::env::join_paths([tools, "/usr/bin".into(), "/bin".into()]).unwrap();
    let run = repository.build(["--arch", arch]).env("PATH", path).env("RUSTC", rustc).run();
    run.fails_with(1, &format!("cargo could not build sink for {arch}"))
        .says(&format!("--bin sink --target {triple}.2.34"));
}

#[test]
fn an_interrupt_ends_the_build_and_leaves_nothing_running() {
    let repository = Repository::new();
    repository.write(
        "build.rs",
        "fn main() { std::fs::write(\"pid.new\", std::process::id().to_string()).unwrap(); \
         std::fs::rename(\"pid.new\", \"pid\").unwrap(); std::thread::sleep(std::time::Duration::from_secs(600)); }",
    );
    let child = repository.build([]).stdin(Stdio::null()).start();
    let pid = eventually("the build", || std::fs::read_to_string(repository.0.path().join("pid")).ok());
    let script = Pid::from_raw(pid.parse().unwrap()).unwrap();
    signal(&child, Signal::INT);
    finish(child, "package build".to_owned()).exits(130);
    eventually("the end of the build script", || test_kill_process(script).is_err().then_some(()));
    assert!(!repository.0.path().join("target/artifacts").exists());
}
