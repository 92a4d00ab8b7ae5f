//! A replay as a run of the journal: begun or gone on with, looked at, agreed to, and sent.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use claimctl_aws::target::{Change, Intent, Target};
use claimctl_core::boot_time::BootTime;
use claimctl_core::cancel::Cancel;
use claimctl_core::context::Context;
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::next::{Hint, Next};
use claimctl_core::progress::{Progress, Unit};
use claimctl_core::run_report::RunEnd;
use claimctl_core::units::duration;
use jiff::Timestamp;

use super::from_file;
use super::pass::{Means, UNMARKED, pass};
use super::plan::{self, Keeper, Memory, Plan};
use super::quarantine::Quarantine;
use super::report::ReplayReport;
use super::resume::{self, VERB};
use super::sort::Sorter;
use super::watch::Alarm;
use super::{Order, Share, canary};
use crate::batch::{self, Receipt};
use crate::depth;
use crate::journal::{ItemState, Journal, Outcome, Run, Start, Summary};
use crate::peek::Counts;

/// A handle that SQS never gave to anybody.
const NO_HANDLE: &str = "claimctl-asks-whether-it-may-delete";

/// A replay that has looked, and has sent nothing yet.
struct Prepared {
    order: Arc<Order>,
    run: Run,
    journal: Arc<Journal>,
    unmarked: Arc<HashMap<String, u32>>,
    quarantine: Option<Quarantine>,
    before: Counts,
    judged_at: Option<BootTime>,
    /// What this command sent without a mark.
    sent_unmarked: HashSet<String>,
    plan: Option<Plan>,
}

/// What a replay would do; nothing is written down.
pub async fn rehearse(ctx: &Context, target: &Target, order: &Order) -> Result<ReplayReport> {
    let journal = Journal::existing(&ctx.paths, &target.project)?.map(Arc::new);
    let key = order.key(VERB);
    let unmarked = journal.as_ref().map(|journal| unmarked(journal, &key)).transpose()?.unwrap_or_default();
    let past = match &journal {
        Some(journal) => journal.last(&key)?.map(|run| Memory::Past(journal.clone(), Box::new(run))),
        None => None,
    };
    let plan = judge_all(order, past.unwrap_or(Memory::None), &unmarked, &ctx.cancel, ctx.progress.as_ref()).await?;
    let mut report = ReplayReport::of(order, Counts::from(&order.depth));
    report.run.ended = if ctx.cancel.is_cancelled() { RunEnd::Interrupted } else { RunEnd::DryRun };
    report.set_altered(plan.altered.clone());
    report.missing = plan.missing.clone();
    report.would_also = plan.effects.beside_sending(&order.name, order.settings.quarantine.as_deref());
    report.plan = Some(plan);
    Ok(report)
}

/// Looks at the messages, shows the plan and asks, and sends what has a verdict. `resumed` is the run that it goes on
/// with as that was begun.
pub async fn run(
    ctx: &Context,
    target: &Target,
    order: Order,
    resumed: Option<&Summary>,
    consent: impl AsyncFnOnce(&Intent) -> Result<Change>,
) -> Result<ReplayReport> {
    let journal = Arc::new(Journal::open(&ctx.paths, &target.project)?);
    let has_more = resume::has_more(&order, &journal).await?;
    let start = resume::start(ctx, target, &order, resumed, has_more).await?;
    let (cancel, progress) = (&ctx.cancel, ctx.progress.as_ref());
    let prepared = prepare(order, journal, &start, cancel, progress).await?;
    if cancel.is_cancelled() {
        prepared.leave().await?;
        return Err(stopped_while_looking());
    }
    let consented = match prepared.tell_plan(progress) {
        Ok(what) => consent(&Intent { what, destroys: true }).await,
        Err(error) => Err(error),
    };
    let change = match consented {
        Ok(change) => change,
        Err(error) => {
            prepared.leave().await?;
            return Err(error);
        }
    };
    let mut report = prepared.replay(&change, cancel, progress).await?;
    report.run.next = report.goes_on().then(Next::again);
    Ok(report)
}

/// Takes up the last replay of this queue, or begins one, and looks at the dead letters.
async fn prepare(
    order: Order,
    journal: Arc<Journal>,
    start: &Start,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<Prepared> {
    if order.file.is_none() {
        may_delete(&order).await?;
    }
    let before = match order.file {
        None => Counts::from(&order.depth),
        Some(_) => Counts::default(),
    };
    let unmarked = unmarked(&journal, &start.key)?;
    let run = journal.begin_or_resume(start, progress)?;
    if run.is_resumed() {
        progress.note(&format!("going on with run {}: what it has sent is not sent again", run.id()));
        journal.forget_verdicts(&run)?;
    }
    let looked = async {
        let quarantine = match &order.settings.quarantine {
            Some(path) => Some(Quarantine::open(path, &order.depth.arn).await?),
            None => None,
        };
        let plan = match order.preflight {
            Some(_) => Some(judge_all(&order, Memory::Run(run.writer()), &unmarked, cancel, progress).await?),
            None => None,
        };
        Ok::<_, Error>((quarantine, plan))
    };
    let (quarantine, plan) = match looked.await {
        Ok(looked) => looked,
        Err(error) => {
            let (outcome, error) = match error.kind() {
                Kind::Interrupted => (Outcome::Interrupted, stopped_while_looking()),
                _ => (Outcome::Failed, error),
            };
            run.writer().finish(outcome, Default::default()).await?;
            return Err(error);
        }
    };
    Ok(Prepared {
        judged_at: plan.is_some().then(BootTime::now),
        order: Arc::new(order),
        run,
        journal,
        unmarked: Arc::new(unmarked),
        quarantine,
        before,
        sent_unmarked: HashSet::new(),
        plan,
    })
}

fn stopped_while_looking() -> Error {
    Error::interrupted("stopped while looking; nothing was sent").next("again", Next::again())
}

/// Looks at every dead letter of the queue, or of the file.
async fn judge_all(
    order: &Order,
    memory: Memory,
    unmarked: &HashMap<String, u32>,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<Plan> {
    match &order.file {
        None => plan::judge_all(order, memory, unmarked, cancel, progress).await,
        Some(file) => {
            let keeper = Keeper { order, memory, unmarked, plan: Plan::default() };
            from_file::judge_all(order, file, keeper, cancel, progress).await
        }
    }
}

impl Prepared {
    /// Ends it before anything was sent: the operator did not agree, or stopped it.
    async fn leave(self) -> Result<()> {
        self.run.writer().finish(Outcome::Interrupted, Default::default()).await
    }

    /// Says what the look found, before the question. Returns what is to be agreed to.
    fn tell_plan(&self, progress: &dyn Progress) -> Result<String> {
        if let Some(plan) = &self.plan {
            plan.sentences().iter().for_each(|line| progress.note(line));
            plan.notes.iter().for_each(|note| progress.note(&format!("note: {note}")));
            return Ok(self.order.sentence(&plan.effects));
        }
        // What the journal knows is settled without being sent.
        let known = self.journal.tally(&self.journal.run(self.run.id())?)?;
        Ok(self.order.unlooked_sentence(&known))
    }

    /// Sends what has a verdict: the canaries, then the others.
    async fn replay(mut self, change: &Change, cancel: &Cancel, progress: &dyn Progress) -> Result<ReplayReport> {
        let began = Instant::now();
        let sorter = self.sorter();
        let order = self.order.clone();
        let mut report = ReplayReport::of(&order, self.before);
        (report.run.id, report.plan) = (Some(self.run.id().to_owned()), self.plan.take());
        let altered = report.plan.as_ref().map(|plan| plan.altered.clone());
        report.set_altered(altered.unwrap_or_default());
        // Without a look the passes meet them.
        let missing = report.plan.as_ref().map(|plan| plan.missing.clone());
        report.missing = missing.unwrap_or_else(|| order.selection.ids().to_vec());
        let mut alarm = order.gauges.clone().watch().await.map_err(|error| {
            // An emulator that has no metrics is no surprise; a missing permission is.
            if error.kind() == Kind::Denied {
                progress.note(&format!("note: the source is not watched while this sends: {error}"));
            }
        });
        report.watched = alarm.is_ok();
        let on = (change, cancel, progress);
        let mut go_on = true;
        let canary = order.settings.canary.min(order.settings.limit.unwrap_or(u64::MAX));
        // Where the look found nothing to send, nothing has to go ahead of it.
        if canary > 0 && report.plan.as_ref().is_none_or(|plan| plan.effects.sends()) {
            let canaries = self.pass(&sorter, Share::Canary(canary), &mut None, on, &mut report).await;
            go_on = !report.run.has_stopped()
                && !cancel.is_cancelled()
                && watch_canary(&order, &sorter, canaries, &mut report, cancel, progress).await;
        }
        let share = match order.settings.limit.filter(|_| self.judged_at.is_none()) {
            Some(limit) => Share::UpTo(limit.saturating_sub(report.sent)),
            None => Share::All,
        };
        if go_on && share != Share::UpTo(0) {
            // What the canaries' pass left is met again.
            report.left.clear();
            self.pass(&sorter, share, &mut alarm.as_mut().ok(), on, &mut report).await;
        }
        if order.settings.limit.is_some_and(|limit| report.plan.as_ref().is_some_and(|plan| plan.selected >= limit)) {
            report.limit_reached();
        }
        report.finish(began.elapsed());
        let after = depth::read(&order.queue.sqs, &order.queue.url).await;
        report.after = after.ok().map(|depth| Counts::from(&depth)).filter(|_| order.file.is_none());
        if let Err(error) = finish(&self.run, &self.journal, &mut report).await {
            report.run.fail(&error);
        }
        Ok(report)
    }

    fn sorter(&self) -> Arc<Sorter> {
        let order = self.order.clone();
        Arc::new(Sorter {
            // The lines of a file were selected while they were read.
            selection: if order.file.is_some() { Arc::default() } else { order.selection.clone() },
            order,
            writer: self.run.writer(),
            run: self.run.id().into(),
            began: Timestamp::now().as_millisecond(),
            unmarked: self.unmarked.clone(),
            judged_at: self.judged_at,
        })
    }

    /// One pass over the queue, or over the file.
    async fn pass(
        &mut self,
        sorter: &Arc<Sorter>,
        share: Share,
        alarm: &mut Alarm<'_>,
        (change, cancel, progress): (&Change, &Cancel, &dyn Progress),
        report: &mut ReplayReport,
    ) -> Vec<canary::Sent> {
        let order = &self.order;
        if let Some(file) = &order.file {
            let (sorter, run) = (sorter.clone(), &self.run);
            let means = from_file::Means { order, file, sorter, run, change, cancel, progress };
            return from_file::pass(means, share, alarm.take(), report).await;
        }
        let expected = self.before.visible;
        progress.start("replaying", order.settings.limit.or((expected > 0).then_some(expected)), Unit::Items);
        let means = Means {
            order,
            sorter: sorter.clone(),
            delivery: order.to.journaled(self.run.writer(), self.run.id()),
            writer: self.run.writer(),
            quarantine: self.quarantine.as_mut(),
            unmarked: &mut self.sent_unmarked,
            to_meet: report.plan.as_ref().map(|plan| plan.selected.saturating_sub(report.deleted)),
            cancel,
            progress,
            alarm: alarm.take(),
        };
        let canaries = pass(means, share, expected, report).await;
        progress.finish();
        canaries
    }
}

/// Whether the others may follow.
async fn watch_canary(
    order: &Order,
    sorter: &Sorter,
    sent: Vec<canary::Sent>,
    report: &mut ReplayReport,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> bool {
    let canary = match canary::wait(order, sorter, sent, cancel, progress).await {
        Ok(canary) => canary,
        Err(error) => {
            report.run.fail(&error);
            return false;
        }
    };
    let fate = canary.fate;
    match fate {
        canary::Fate::Returned => {
            report.run.stop("the canary was thrown back into the dead-letter queue");
            let next = Next::verb("dlq ls").word(order.queue.name()).word("--why");
            report.run.hint(Hint::Run { why: "what its handler said".to_owned(), next });
        }
        canary::Fate::Unknown => {
            let waited = duration(order.settings.canary_wait);
            let why = match canary.is_silent() {
                true => "nobody can tell whether the canary was handled: it had its record before it was sent",
                false => "the canary is neither recorded nor back in the dead-letter queue",
            };
            report.run.stop(format!("after {waited} {why}"));
            let again = |why: &str, next| Hint::Run { why: why.to_owned(), next };
            report.run.hint(again("wait longer", Next::again().flag("--canary-wait", "15m")));
            report.run.hint(again("or send without one", Next::again().flag("--canary", 0)));
        }
        canary::Fate::Interrupted => report.run.ended = RunEnd::Interrupted,
        // Everything was met, and settled as it was to be.
        canary::Fate::NothingToSend => return false,
        canary::Fate::Recorded | canary::Fate::Consumed | canary::Fate::Delivered => {}
    }
    report.canary = Some(canary);
    fate.is_good()
}

/// Says in the journal how it ended, after everything that was noted is durable.
async fn finish(run: &Run, journal: &Journal, report: &mut ReplayReport) -> Result<()> {
    run.writer().states(Vec::new()).await?;
    report.set_to_do(&journal.tally(&journal.run(run.id())?)?);
    run.writer().finish(report.outcome(), report.counts()).await
}

/// Found out before the first send: what is sent has to be deleted.
async fn may_delete(order: &Order) -> Result<()> {
    let nobody = Receipt { message_id: "none".into(), handle: NO_HANDLE.into() };
    let outcome = batch::delete(&order.queue, vec![nobody]).await;
    match outcome.error {
        Some(error) if matches!(error.kind(), Kind::Denied | Kind::NotFound | Kind::Unreachable) => {
            Err(match error.kind() {
                Kind::Denied => error.hint("nothing was sent: a dead letter that is sent has to be deleted"),
                _ => error,
            })
        }
        _ => Ok(()),
    }
}

/// What the journal counts of messages without a mark, over all runs of this queue.
fn unmarked(journal: &Journal, key: &str) -> Result<HashMap<String, u32>> {
    let counted = journal.details(key, ItemState::Unmarked)?.into_iter().filter_map(|(item, replays)| {
        let name = item.strip_prefix(UNMARKED)?.to_owned();
        Some((name, replays.parse().ok()?))
    });
    Ok(counted.collect())
}
