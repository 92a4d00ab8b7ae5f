//! What a replay would do and what it did, for people.

use std::time::Duration;

use claimctl_core::exit::Exit;
use claimctl_core::run_report::RunEnd;
use claimctl_core::units::{count, duration};
use claimctl_queues::dead_letters::replay::plan::Plan;
use claimctl_queues::dead_letters::replay::report::{Fate, ReplayReport};
use claimctl_queues::dead_letters::verdict::Verdict;
use claimctl_queues::deletes::Left;
use claimctl_queues::peek::Counts;

use crate::output::{Page, Report, Table, Written, why_it_ended};

/// Messages that a sentence names; the JSON form has more.
const NAMED: usize = 5;

impl Report for Written<ReplayReport> {
    fn page(&self) -> Page {
        let report = &self.report;
        if let (None, Some(plan)) = (&report.run.id, &report.plan) {
            return rehearsal_page(report, plan);
        }
        let page = Page::new().line(sum(report));
        let page = page.lines(canary(report).into_iter().chain(why_it_ended(&report.run)).chain(left(report)));
        let page = page
            .line_if(report.returned > 0, || {
                format!("came back: {}: {}", count(report.returned, "dead letter"), report.returns.join(", "))
            })
            .line_if(report.perhaps_twice > 0, || format!("perhaps sent twice: {}", some(&report.doubles)))
            .line_if(!report.open.is_empty(), || format!("undecided: {}", some(&report.open)))
            .line_if(report.unmarked > 0, || {
                format!("{} without room for the mark of a replay: the journal counts them", report.unmarked)
            })
            .line_if(report.to_do > 0, || format!("{} fit to be sent, and not sent", report.to_do))
            .line(Counts::left(report.after))
            .line_if(report.is_elsewhere(), || {
                format!(
                    "about {} in flight before it began: held by another consumer, or by a command that was killed; \
                     run it again later",
                    report.before.in_flight
                )
            })
            .line_if(!report.not_deleted.is_empty(), || some_of("settled, and not deleted", &report.not_deleted))
            .lines(missing(report))
            .line_if(!report.altered.is_empty(), || some_of("left as they are", &report.altered))
            .line_if(!report.failures.is_empty(), || some_of("not sent", &report.failures));
        self.going_on.below(page.lines(report.given_back.not_released.iter().map(ToString::to_string)))
    }

    fn exit(&self) -> Exit {
        self.report.exit()
    }
}

/// "claims-dlq: 1,998 dead letters sent to claims, 2 sent by an earlier command; 2,000 deleted; 1.2s, 1,700 dead
/// letters/s"
fn sum(report: &ReplayReport) -> String {
    let given: Vec<_> = report.sent_to.iter().map(|(recipient, number)| format!("{number} to {recipient}")).collect();
    let given = if given.is_empty() { String::new() } else { format!(" ({})", given.join(", ")) };
    let mut parts = vec![format!("{} sent to {}{given}", count(report.sent, "dead letter"), report.destination)];
    for (number, what) in [
        (report.sent_before, "sent by an earlier command"),
        (report.recorded, "recorded already"),
        (report.quarantined, "quarantined"),
        (report.failed, "failed"),
        (report.undecided, "undecided"),
    ] {
        if number > 0 {
            parts.push(format!("{number} {what}"));
        }
    }
    parts.push(format!("{} deleted", report.deleted));
    let took = duration(Duration::from_millis(report.run.elapsed_ms));
    format!(
        "{}: {}; {took}, {:.0} dead letters/s; run {}",
        report.queue,
        parts.join(", "),
        report.run.per_second,
        report.run.id.as_deref().unwrap_or("-")
    )
}

fn left(report: &ReplayReport) -> Option<String> {
    let left: Vec<_> =
        report.left.iter().map(|(why, dead_letters)| format!("{dead_letters} {}", why.replace('_', " "))).collect();
    let place = if report.from_file { "the file" } else { report.queue.as_str() };
    (!left.is_empty()).then(|| format!("left in {place}: {}", left.join(", ")))
}

fn canary(report: &ReplayReport) -> Option<String> {
    let canary = report.canary.as_ref()?;
    let waited = duration(Duration::from_secs_f64(canary.waited_seconds));
    let fate = match canary.fate {
        Fate::Recorded => format!("recorded after {waited}"),
        Fate::Consumed => format!("consumed after {waited}, and not thrown back"),
        Fate::Delivered => format!("delivered after {waited}"),
        Fate::Returned => format!("thrown back after {waited}"),
        Fate::Unknown | Fate::Interrupted => format!("undecided after {waited}"),
        Fate::NothingToSend => return None,
    };
    let before = match canary.recorded_before {
        0 => String::new(),
        some => format!(" ({some} recorded before the send, which proves nothing)"),
    };
    Some(format!("canary {}: {fate}{before}", canary.message_ids.join(", ")))
}

fn rehearsal_page(report: &ReplayReport, plan: &Plan) -> Page {
    let mut table = Table::new([">MESSAGES", "VERDICT", "EXAMPLE", "WHY"]);
    for verdict in Verdict::ALL.into_iter().filter(|verdict| plan.of(*verdict) > 0) {
        let example = plan.examples.get(verdict.as_str()).and_then(|examples| examples.first());
        let why = example.and_then(|dead_letter| dead_letter.why.clone());
        table.row([
            plan.of(verdict).to_string(),
            verdict.to_string(),
            example.map_or_else(String::new, |dead_letter| dead_letter.message_id.clone()),
            why.unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    let page = Page::new()
        .table(table)
        .line(format!(
            "{}: {} would be sent to {}; seen {} of about {} visible",
            report.queue,
            count(plan.effects.sent, "dead letter"),
            report.destination,
            plan.seen,
            report.before.visible
        ))
        .lines(plan.effects.recipients().map(|each| format!("of those: {each}")))
        .lines(report.would_also.iter().map(|effect| format!("it would also {effect}")))
        .line_if(plan.settled_before > 0, || {
            format!("{} sent or quarantined by an earlier command", plan.settled_before)
        })
        .line_if(plan.undecided > 0, || format!("{} undecided: an earlier command may have sent them", plan.undecided))
        .lines(missing(report))
        .line_if(!report.altered.is_empty(), || some_of("not judged", &report.altered))
        .line_if(!plan.complete && report.run.ended == RunEnd::DryRun, || {
            "not all dead letters may have been seen".to_owned()
        });
    let page = page.lines(plan.notes.iter().map(|note| format!("note: {note}")));
    page.line_if(report.run.ended == RunEnd::Interrupted, || "interrupted: there may be more".to_owned())
        .line("nothing was sent, and every dead letter was given back: --dry-run")
}

fn missing(report: &ReplayReport) -> Option<String> {
    (!report.missing.is_empty()).then(|| format!("asked for, and not seen: {}", report.missing.join(", ")))
}

fn some(ids: &[String]) -> String {
    let named: Vec<_> = ids.iter().take(NAMED).map(String::as_str).collect();
    format!("{}{}", named.join(", "), more(ids.len()))
}

fn some_of(what: &str, left: &[Left]) -> String {
    let named: Vec<_> = left.iter().take(NAMED).map(|left| format!("{} ({})", left.message_id, left.why)).collect();
    format!("{what}: {}: {}{}", count(left.len() as u64, "dead letter"), named.join(", "), more(left.len()))
}

fn more(number: usize) -> String {
    match number.saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    }
}
