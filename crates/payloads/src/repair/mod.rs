//! What `verify` found missing, stale or unfinished is announced again, and orphaned records are deleted.
//!
//! An event that is announced again carries nothing but the object's place: the handler looks at the object itself, and
//! writes only where the record does not agree with it. So it does no harm twice, and a repair that was killed is gone on
//! with by the same command: it verifies anew, and repairs what is left.

mod events;
mod orphans;
mod plan;

use std::collections::BTreeMap;
use std::time::Instant;

use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::target::{Change, Intent, Target};
use claimctl_core::context::Context;
use claimctl_core::error::Result;
use claimctl_core::next::Next;
use claimctl_core::run_report::{RunEnd, RunReport};
use claimctl_queues::consumers::invoke::INVOKE;
use claimctl_queues::depth;
use claimctl_queues::journal::{Journal, Outcome, Start};
use claimctl_queues::policy::PolicyQueue;
use jiff::Timestamp;
use serde::Serialize;

use crate::flow::BucketFlow;
use crate::verify::Counts;
use plan::Place;
pub use plan::{Plan, Request, plan};

/// Keys that could not be repaired, listed in the report.
const LISTED: usize = 100;
const SEND: &str = "sqs:SendMessage";

/// What became of a repair.
#[derive(Debug, Serialize)]
pub struct RepairReport {
    /// What was found before it.
    pub before: Counts,
    /// Events that were to be announced again.
    pub events: u64,
    /// Those that the queue, or Lambda, has taken.
    pub sent: u64,
    /// Orphaned records that were to be deleted.
    pub orphans: u64,
    pub deleted: u64,
    /// Records that turned out to be no orphans, at a last look.
    pub spared: u64,
    pub failed: u64,
    /// Perhaps taken: the last call had no answer.
    pub undecided: u64,
    pub failures: Vec<Failure>,
    #[serde(flatten)]
    pub run: RunReport,
}

impl AsRef<RunReport> for RepairReport {
    fn as_ref(&self) -> &RunReport {
        &self.run
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    pub key: String,
    pub why: String,
}

impl RepairReport {
    fn of(plan: &Plan) -> RepairReport {
        RepairReport {
            before: plan.before.clone(),
            events: plan.events(),
            sent: 0,
            orphans: plan.orphans(),
            deleted: 0,
            spared: 0,
            failed: 0,
            undecided: 0,
            failures: Vec::new(),
            run: RunReport::default(),
        }
    }

    fn fail(&mut self, key: String, why: String) {
        self.failed += 1;
        if self.failures.len() < LISTED {
            self.failures.push(Failure { key, why });
        }
    }

    fn counts(&self) -> BTreeMap<String, u64> {
        let counts = [
            ("sent", self.sent),
            ("deleted", self.deleted),
            ("spared", self.spared),
            ("failed", self.failed),
            ("undecided", self.undecided),
        ];
        counts.into_iter().filter(|(_, count)| *count > 0).map(|(name, count)| (name.to_owned(), count)).collect()
    }
}

/// What IAM has to allow besides what a verification takes.
pub fn permissions(
    arns: &ArnBuilder,
    flow: &BucketFlow,
    queues: &[PolicyQueue],
    request: Request,
) -> Result<Vec<Statement>> {
    let mut statements = Vec::new();
    if request.invokes {
        let functions = flow.entrances.iter().filter_map(|entrance| entrance.function.as_ref());
        let functions = functions.flat_map(|(name, _)| {
            let arn = arns.arn("lambda", &format!("function:{name}"));
            [arn.clone(), format!("{arn}:*")]
        });
        statements.push(Statement::allow("Announce", &[INVOKE], functions));
    } else {
        statements.extend(queues.iter().map(|queue| queue.permissions("Announce", &[SEND])));
    }
    if request.deletes_orphans {
        statements.extend(orphans::permissions(arns, flow)?);
    }
    Ok(statements)
}

/// What would be done.
pub fn rehearse(plan: &Plan) -> RepairReport {
    RepairReport { run: RunReport::rehearsal(), ..RepairReport::of(plan) }
}

/// Asks, announces again and deletes. The next verification says what came of it.
pub async fn repair(
    ctx: &Context,
    target: &Target,
    flow: &BucketFlow,
    plan: Plan,
    consent: impl AsyncFnOnce(&Intent) -> Result<Change>,
) -> Result<RepairReport> {
    let started = Instant::now();
    let mut report = RepairReport::of(&plan);
    let change = consent(&plan.intent(flow)).await?;
    let journal = Journal::open(&ctx.paths, &target.project)?;
    let words = format!("flow {}: {}", flow.name, plan.words(flow));
    let queue_arn = match plan.announcements.first() {
        Some((Place::Queue(url), _)) => Some(depth::read(&target.sqs(), url).await?.arn),
        _ => None,
    };
    let run = journal.begin_anew(&start(ctx, target, words, queue_arn).await?, ctx.progress.as_ref())?;
    report.run.id = Some(run.id().to_owned());
    let Plan { announcements, orphans, .. } = plan;
    for (entrance, events) in announcements {
        if ctx.cancel.is_cancelled() || report.run.has_stopped() {
            break;
        }
        if let Err(error) = events::announce(ctx, target, flow, &run, &entrance, events, &change, &mut report).await {
            report.run.fail(&error);
        }
    }
    if !ctx.cancel.is_cancelled()
        && !report.run.has_stopped()
        && !orphans.is_empty()
        && let Err(error) = orphans::delete(ctx, target, flow, &run, orphans, &change, &mut report).await
    {
        report.run.fail(&error);
    }
    if ctx.cancel.is_cancelled() && report.run.error.is_none() {
        report.run.ended = RunEnd::Interrupted;
    }
    let goes_on = report.failed + report.undecided > 0;
    run.writer().finish(Outcome::of_run(&report.run, goes_on), report.counts()).await?;
    report.run.finish(report.sent + report.deleted, started.elapsed());
    if report.run.ended != RunEnd::Complete || goes_on {
        report.run.next = Some(Next::again());
    }
    Ok(report)
}

async fn start(ctx: &Context, target: &Target, words: String, queue_arn: Option<String>) -> Result<Start> {
    Ok(Start {
        verb: "verify".to_owned(),
        who: target.change_origin(ctx).await?,
        queue_arn,
        target: words,
        // The same command verifies anew: what this run has done is seen there.
        key: format!("verify --repair, once: {} {}", Timestamp::now().as_nanosecond(), std::process::id()),
        has_more: false,
        arguments: ctx.change_log.arguments(),
        resume: ctx.change_log.command(),
    })
}
