//! What became of the files, for people.

use std::time::Duration;

use claimctl_core::exit::Exit;
use claimctl_core::units::{bytes, count, duration};
use claimctl_payloads::upload::report::{FileReport, Status, UploadReport};

use crate::output::{Page, Report, Table, Written};

/// Files that are listed for people. Of more, those that failed come first.
const LISTED: usize = 1_000;

impl Report for Written<UploadReport> {
    fn page(&self) -> Page {
        let uploads = &self.report;
        let (page, files) = match uploads.files.head(LISTED) {
            Ok(files) => (Page::new(), files),
            Err(error) => (Page::new().line(format!("the files cannot be listed: {error}")), Vec::new()),
        };
        let unlisted = uploads.files.len() - files.len() as u64;
        let page = page
            .table(table(&files))
            .line_if(unlisted > 0, || format!("and {unlisted} more: --output jsonl lists each"))
            .line(sum(uploads))
            .line_if(uploads.unclaimed.0 > 0, || warning(uploads))
            .line_if(uploads.interrupted > 0, || match uploads.sends_only_the_rest {
                true => "interrupted: the same command does the rest".to_owned(),
                false => "interrupted: what is there already the same command does again, with the rest".to_owned(),
            })
            .line_if(uploads.interrupted == 0 && uploads.failed > 0 && uploads.uploaded > 0, || {
                match uploads.sends_only_the_rest {
                    true => "what was uploaded is there; the same command does only the rest".to_owned(),
                    false => "what was uploaded is there; the same command does it again, with the rest".to_owned(),
                }
            });
        self.going_on.below(page)
    }

    fn list(&self) -> Option<&'static str> {
        Some("files")
    }

    fn exit(&self) -> Exit {
        self.report.exit()
    }
}

fn table(files: &[FileReport]) -> Table {
    // The key near the end, because a long one would push everything behind it out of sight.
    let mut table = Table::new(["STATUS", ">SIZE", "ETAG", "KEY", "WHY"]);
    for file in files {
        table.row([
            status(file.status).to_owned(),
            file.size.map_or_else(|| "-".to_owned(), bytes),
            file.etag.as_deref().map_or("-", |etag| etag.trim_matches('"')).to_owned(),
            file.key.clone().unwrap_or_else(|| file.path.clone()),
            file.error.clone().unwrap_or_default(),
        ]);
    }
    table
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Uploaded => "uploaded",
        Status::Unchanged => "unchanged",
        Status::Failed => "failed",
        Status::Skipped => "skipped",
        Status::Interrupted => "interrupted",
        Status::Planned => "planned",
    }
}

/// "198 uploaded (1.2 MiB), 1 failed, to bucket b in 3.2s"
fn sum(uploads: &UploadReport) -> String {
    let mut parts = match uploads.dry_run {
        true => vec![format!("{} would be uploaded ({})", count(uploads.planned, "file"), bytes(uploads.bytes))],
        false => vec![format!("{} uploaded ({})", count(uploads.uploaded, "file"), bytes(uploads.bytes))],
    };
    if uploads.kept_parts > 0 {
        parts.push(format!("{} kept from an earlier run", count(uploads.kept_parts, "part")));
    }
    for (number, what) in [
        (uploads.unchanged, "unchanged"),
        (uploads.failed, "failed"),
        (uploads.interrupted, "not uploaded because of the interrupt"),
        (uploads.skipped, "skipped"),
        (uploads.excluded, "left out by --include and --exclude"),
    ] {
        if number > 0 {
            parts.push(format!("{number} {what}"));
        }
    }
    if uploads.files.is_empty() {
        parts.push("there was nothing to upload".to_owned());
    }
    let took = match uploads.run.elapsed_ms {
        0 => String::new(),
        elapsed => format!(" in {}", duration(Duration::from_millis(elapsed))),
    };
    format!("{}; bucket {}{took}", parts.join(", "), uploads.bucket)
}

fn warning(uploads: &UploadReport) -> String {
    let (number, first) = &uploads.unclaimed;
    let named = first.iter().map(|key| format!("{key:?}")).collect::<Vec<_>>().join(", ");
    let more = match number.saturating_sub(first.len() as u64) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("warning: no flow takes {named}{more}: no claim will come for them")
}
