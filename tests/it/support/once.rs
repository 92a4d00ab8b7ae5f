//! What is made once for all tests of a run, also where each test is a process of its own, as with nextest.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::sync::OnceLock;

/// Below `target/tmp/once`, under this name, is what the first test of a run that asked was answered; those that ask
/// meanwhile wait. A later run asks again. A failure is not kept.
pub fn once(name: &str, make: impl FnOnce() -> String) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("once");
    std::fs::create_dir_all(&folder).unwrap();
    let file = File::options().read(true).write(true).create(true).truncate(false).open(folder.join(name));
    let mut file = file.unwrap();
    // The lock goes when the file is closed, however that comes.
    file.lock().unwrap();
    let mut kept = String::new();
    file.read_to_string(&mut kept).unwrap();
    if let Some((run, answer)) = kept.split_once('\n')
        && run == this_run()
    {
        return answer.to_owned();
    }
    let answer = make();
    file.set_len(0).unwrap();
    file.rewind().unwrap();
    write!(file, "{}\n{answer}", this_run()).unwrap();
    answer
}

/// nextest gives its run a name that all processes know; with cargo test, a run is one process.
pub const RUN: &str = "NEXTEST_RUN_ID";

fn this_run() -> &'static str {
    static THIS: OnceLock<String> = OnceLock::new();
    THIS.get_or_init(|| {
        std::env::var(RUN).unwrap_or_else(|_| format!("{} of {}", std::process::id(), jiff::Timestamp::now()))
    })
}
