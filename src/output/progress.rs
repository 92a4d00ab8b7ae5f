//! Progress on stderr: a bar on a terminal, a line now and then elsewhere, nothing with `--quiet`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use claimctl_core::next::Hint;
use claimctl_core::progress::{Progress, Silent, Unit};
use claimctl_core::units;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::write_stderr;
use crate::context::{OutputOptions, Terminal};

/// Where there is no terminal, work that lasts longer than this gets a line, and again after as long.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// `write_out` writes out the commands of hints.
pub fn terminal_progress(
    options: &OutputOptions,
    terminal: &Terminal,
    write_out: impl Fn(&Hint) -> String + Send + Sync + 'static,
) -> Arc<dyn Progress> {
    match (options.quiet, terminal.stderr) {
        (true, _) => Arc::new(Silent),
        (false, true) => Arc::new(Hinting { progress: Bar(Mutex::new(None)), write_out }),
        (false, false) => Arc::new(Hinting { progress: Lines(Mutex::new(None)), write_out }),
    }
}

/// Progress that knows how commands are written out.
struct Hinting<P, W> {
    progress: P,
    write_out: W,
}

impl<P: Progress, W: Fn(&Hint) -> String + Send + Sync> Progress for Hinting<P, W> {
    fn start(&self, what: &str, total: Option<u64>, unit: Unit) {
        self.progress.start(what, total, unit);
    }

    fn advance(&self, by: u64) {
        self.progress.advance(by);
    }

    fn now(&self, what: &str) {
        self.progress.now(what);
    }

    fn note(&self, text: &str) {
        self.progress.note(text);
    }

    fn hint(&self, hint: &Hint) {
        self.progress.note(&format!("note: {}", (self.write_out)(hint)));
    }

    fn finish(&self) {
        self.progress.finish();
    }
}

struct Bar(Mutex<Option<ProgressBar>>);

impl Bar {
    fn with(&self, then: impl FnOnce(&ProgressBar)) {
        if let Some(bar) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            then(bar);
        }
    }
}

impl Progress for Bar {
    fn start(&self, what: &str, total: Option<u64>, unit: Unit) {
        self.finish();
        let template = match (unit, total) {
            (Unit::Steps, _) => "{spinner} {msg} {elapsed}",
            (Unit::Bytes, Some(_)) => "{msg} {wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta}",
            (Unit::Bytes, None) => "{spinner} {msg} {bytes}, {bytes_per_sec}",
            (_, Some(_)) => "{msg} {wide_bar} {pos} of {len}, {per_sec}, {eta}",
            (_, None) => "{spinner} {msg} {pos}, {per_sec}",
        };
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
    }

    fn advance(&self, by: u64) {
        self.with(|bar| bar.inc(by));
    }

    fn now(&self, what: &str) {
        self.with(|bar| bar.set_message(what.to_owned()));
    }

    fn note(&self, text: &str) {
        let mut drawn = false;
        self.with(|bar| {
            bar.println(units::printable(text));
            drawn = true;
        });
        if !drawn {
            write_stderr(&units::printable(text));
        }
    }

    fn finish(&self) {
        if let Some(bar) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }
}

/// A count now and then; what has none, once, when it is known that it takes its time.
struct Lines(Mutex<Option<Work>>);

struct Work {
    what: String,
    unit: Unit,
    total: Option<u64>,
    done: u64,
    last_line: Instant,
    /// What has no count is told once.
    told: bool,
}

impl Progress for Lines {
    fn start(&self, what: &str, total: Option<u64>, unit: Unit) {
        let work = Work { what: what.to_owned(), unit, total, done: 0, last_line: Instant::now(), told: false };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(work);
    }

    fn advance(&self, by: u64) {
        let mut work = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(work) = work.as_mut() else { return };
        work.done += by;
        if work.last_line.elapsed() >= LINE_EVERY {
            work.last_line = Instant::now();
            write_stderr(&work.sentence());
        }
    }

    fn now(&self, _: &str) {
        let mut work = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(work) = work.as_mut().filter(|work| !work.told) {
            work.told = true;
            write_stderr(&work.sentence());
        }
    }

    fn note(&self, text: &str) {
        write_stderr(&units::printable(text));
    }

    fn finish(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Work {
    fn sentence(&self) -> String {
        let number = |number| if self.unit == Unit::Bytes { units::bytes(number) } else { number.to_string() };
        match self.total {
            _ if self.unit == Unit::Steps => format!("{} …", self.what),
            Some(total) => format!("{}: {} of {}", self.what, number(self.done), number(total)),
            None => format!("{}: {}", self.what, number(self.done)),
        }
    }
}
