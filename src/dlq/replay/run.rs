//! A replay as a run of the journal: begun or gone on with, looked at, agreed to, and sent.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

use super::Order;
use super::canary;
use super::pass::{Means, Share, UNMARKED, pass};
use super::plan::{self, Memory, Plan};
use super::quarantine::Quarantine;
use super::report::{Ended, Report};
use super::sort::Sorter;
use crate::cancel::Cancel;
use crate::error::{Kind, Result};
use crate::journal::{Journal, Outcome, Run, Start, State};
use crate::progress::{Progress, Unit};
use crate::queue::batch::{self, Receipt};
use crate::queue::depth;
use crate::queue::look::Counts;
use crate::target::Change;

/// A handle that SQS never gave to anybody.
const NO_HANDLE: &str = "claimctl-asks-whether-it-may-delete";

/// A replay that has looked, and has sent nothing yet.
pub struct Prepared {
    order: Arc<Order>,
    run: Run,
    journal: Arc<Journal>,
    unmarked: Arc<HashMap<String, u32>>,
    quarantine: Option<Quarantine>,
    before: Counts,
    judged_at: Option<Instant>,
    pub plan: Option<Plan>,
}

/// What a replay would do; nothing is written down.
pub async fn rehearse(
    order: &Order,
    journal: Option<Arc<Journal>>,
    key: &str,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<Report> {
    let unmarked = journal.as_ref().map(|journal| unmarked(journal, key)).transpose()?.unwrap_or_default();
    let before = depth::read(&order.letters.sqs, &order.letters.url).await?;
    let memory = match &journal {
        Some(journal) => journal.last(key)?.map(|run| Memory::Past(journal.clone(), run)),
        None => None,
    };
    let plan = plan::look(order, memory.unwrap_or(Memory::None), &unmarked, cancel, progress).await?;
    let interrupted = cancel.is_cancelled();
    let mut report = Report::of(order, Counts::from(&before));
    report.ended = if interrupted { Ended::Interrupted } else { Ended::DryRun };
    report.plan = Some(plan);
    Ok(report)
}

/// Takes up the last replay of this queue, or begins one, and looks at the letters.
pub async fn prepare(
    order: Order,
    journal: Arc<Journal>,
    start: &Start,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<Prepared> {
    may_delete(&order).await?;
    let before = depth::read(&order.letters.sqs, &order.letters.url).await?;
    let unmarked = unmarked(&journal, &start.key)?;
    let run = match journal.resume(start)? {
        Some(run) => run,
        None => journal.begin(start)?,
    };
    for other in journal.others_at(&order.letters_arn, &run)? {
        progress.note(&format!(
            "warning: run {} ({} {}) is at work on the same queue: each of the two sees only part of it",
            other.id, other.verb, other.target
        ));
    }
    if run.is_resumed() {
        progress.note(&format!("going on with run {}: what it has sent is not sent again", run.id()));
        journal.forget_verdicts(&run)?;
    }
    let looked = async {
        let quarantine = match &order.quarantine {
            Some(path) => Some(Quarantine::open(path, &order.letters_arn).await?),
            None => None,
        };
        let plan = match order.preflight {
            Some(_) => Some(plan::look(&order, Memory::Run(run.scribe()), &unmarked, cancel, progress).await?),
            None => None,
        };
        Ok((quarantine, plan))
    };
    let (quarantine, plan) = match looked.await {
        Ok(looked) => looked,
        Err(error) => {
            run.scribe().finish(Outcome::Failed, Default::default()).await?;
            return Err(error);
        }
    };
    Ok(Prepared {
        judged_at: plan.is_some().then(Instant::now),
        order: Arc::new(order),
        run,
        journal,
        unmarked: Arc::new(unmarked),
        quarantine,
        before: Counts::from(&before),
        plan,
    })
}

impl Prepared {
    pub fn id(&self) -> &str {
        self.run.id()
    }

    /// Ends it before anything was sent: the operator did not agree, or there is nothing to do.
    pub async fn leave(self, outcome: Outcome) -> Result<()> {
        self.run.scribe().finish(outcome, Default::default()).await
    }

    /// Sends what has a verdict: the canaries, then the others.
    pub async fn replay(self, _: &Change, cancel: &Cancel, progress: &dyn Progress) -> Result<Report> {
        let Prepared { order, run, journal, unmarked, mut quarantine, before, judged_at, plan } = self;
        let began = Instant::now();
        let sorter = Arc::new(Sorter {
            order: order.clone(),
            scribe: run.scribe(),
            run: run.id().into(),
            began: Timestamp::now().as_millisecond(),
            unmarked,
            judged_at,
        });
        let mut report = Report::of(&order, before);
        (report.run, report.plan) = (run.id().to_owned(), plan);
        let mut sent_unmarked = HashSet::new();
        let mut pass_over = async |share, report: &mut Report| {
            let means = Means {
                order: &order,
                sorter: sorter.clone(),
                way: order.to.way(run.scribe()),
                scribe: run.scribe(),
                quarantine: quarantine.as_mut(),
                unmarked: &mut sent_unmarked,
                cancel,
                progress,
                alarm: None,
            };
            progress.start("replaying", order.limit.or((before.visible > 0).then_some(before.visible)), Unit::Items);
            let canaries = pass(means, share, before.visible, report).await;
            progress.finish();
            canaries
        };
        let mut go_on = true;
        if order.canary > 0 {
            let sent = pass_over(Share::Canary(order.canary), &mut report).await;
            go_on = may_go_on(&report, cancel);
            if go_on {
                go_on = watch_canary(&order, &sorter, sent, &mut report, cancel, progress).await;
            }
        }
        if go_on {
            report.left.clear();
            let share = match order.limit.filter(|_| judged_at.is_none()) {
                Some(limit) => Share::UpTo(limit.saturating_sub(report.sent)),
                None => Share::All,
            };
            if share != Share::UpTo(0) {
                pass_over(share, &mut report).await;
            }
        }
        report.elapsed_seconds = began.elapsed().as_secs_f64();
        report.messages_per_second = report.deleted as f64 / report.elapsed_seconds.max(f64::EPSILON);
        report.after = depth::read(&order.letters.sqs, &order.letters.url).await.ok().map(|depth| Counts::from(&depth));
        let ended = finish(&run, &journal, &mut report).await;
        if let Err(error) = ended {
            report.fail(&error);
        }
        Ok(report)
    }
}

fn may_go_on(report: &Report, cancel: &Cancel) -> bool {
    report.stopped.is_none() && !cancel.is_cancelled()
}

/// Whether the others may follow.
async fn watch_canary(
    order: &Order,
    sorter: &Sorter,
    sent: Vec<canary::Sent>,
    report: &mut Report,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> bool {
    let canary = match canary::wait(order, sorter, sent, cancel, progress).await {
        Ok(canary) => canary,
        Err(error) => {
            report.fail(&error);
            return false;
        }
    };
    let fate = canary.fate;
    match fate {
        canary::Fate::Returned => {
            report.stop(Ended::Stopped, "the canary was thrown back into the dead-letter queue");
            report.hints.push("what its handler said: claimctl dlq ls --why".to_owned());
        }
        canary::Fate::Unknown => {
            let waited = crate::output::units::duration(order.canary_wait);
            report.stop(
                Ended::Stopped,
                format!("after {waited} the canary is neither recorded nor back in the dead-letter queue"),
            );
            report.hints.push("wait longer: --canary-wait 15m; or send without one: --canary 0".to_owned());
        }
        canary::Fate::Interrupted => report.ended = Ended::Interrupted,
        canary::Fate::Recorded | canary::Fate::Consumed | canary::Fate::NothingToSend => {}
    }
    report.canary = Some(canary);
    fate.is_good()
}

/// Says in the journal how it ended, after everything that was noted is durable.
async fn finish(run: &Run, journal: &Journal, report: &mut Report) -> Result<()> {
    run.scribe().states(Vec::new()).await?;
    report.set_to_do(&journal.tally(&journal.run(run.id())?)?);
    run.scribe().finish(report.outcome(), report.counts()).await
}

/// Found out before the first send: what is sent has to be deleted.
async fn may_delete(order: &Order) -> Result<()> {
    let nobody = Receipt { message_id: "none".into(), handle: NO_HANDLE.into() };
    let outcome = batch::delete(&order.letters, vec![nobody]).await;
    match outcome.error {
        Some(error) if matches!(error.kind(), Kind::Denied | Kind::NotFound | Kind::Unreachable) => {
            Err(match error.kind() {
                Kind::Denied => error.hint("nothing was sent: a letter that is sent has to be deleted"),
                _ => error,
            })
        }
        _ => Ok(()),
    }
}

/// What the journal counts of messages without a mark, over all runs of this queue.
fn unmarked(journal: &Journal, key: &str) -> Result<HashMap<String, u32>> {
    let counted = journal.details(key, State::Unmarked)?.into_iter().filter_map(|(item, replays)| {
        let name = item.strip_prefix(UNMARKED)?.to_owned();
        Some((name, replays.parse().ok()?))
    });
    Ok(counted.collect())
}
