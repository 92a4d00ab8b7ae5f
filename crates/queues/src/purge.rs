//! Deleting everything in a queue at once. SQS does it within a minute, and says no a second time in that minute.

use std::path::{Path, PathBuf};

use claimctl_aws::Explain;
use claimctl_aws::policy::Statement;
use claimctl_aws::target::{Change, Intent, Target};
use claimctl_core::context::Context;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use claimctl_core::units::count;
use serde::Serialize;

use super::depth::QueueDepth;
use super::drain::report::DrainReport;
use super::peek::Counts;
use super::policy::PolicyQueue;
use super::{Queue, depth, drain};

const PURGE: &str = "sqs:PurgeQueue";

/// How long SQS takes, and how long it refuses the next one, in seconds (Amazon SQS API Reference, PurgeQueue).
pub const SECONDS: u64 = 60;

/// What a purge deletes, or moves.
pub struct Order {
    pub queue: Queue,
    pub depth: QueueDepth,
    /// Drain into this file instead.
    pub backup: Option<PathBuf>,
}

/// What became of it.
pub enum Purged {
    /// SQS has agreed to delete everything; with the counts before, or those of a dry run.
    Whole(PurgeReport),
    Drained(Box<DrainReport>),
}

/// Its JSON form is a contract.
#[derive(Debug, Serialize)]
pub struct PurgeReport {
    pub queue: String,
    pub queue_arn: String,
    /// What was agreed to delete; approximate, like all counts.
    pub agreed: Counts,
    /// Right before the purge.
    pub before: Counts,
    /// SQS has agreed to delete them.
    pub purged: bool,
}

/// What IAM has to allow for a purge that shows its counts first.
pub fn permissions(queue: &PolicyQueue, backup: bool) -> Vec<Statement> {
    match backup {
        true => drain::permissions(queue, false),
        false => vec![queue.permissions("PurgeQueue", &[PURGE])],
    }
}

impl Order {
    /// What is to be agreed to: "delete all of queue q: about 12 messages visible, 3 in flight and 0 delayed, for good".
    pub fn intent(&self) -> Intent {
        let Counts { visible, in_flight, delayed } = Counts::from(&self.depth);
        let (name, visible) = (&self.depth.name, count(visible, "message"));
        let what = match &self.backup {
            Some(file) => format!(
                "move all of queue {name} that can be received, about {visible} visible, to {} and delete it from the \
                 queue; about {in_flight} in flight and {delayed} delayed are moved only if they become visible meanwhile",
                file.display()
            ),
            None => format!(
                "delete all of queue {name}: about {visible} visible, {in_flight} in flight and {delayed} delayed, \
                 for good"
            ),
        };
        Intent { what, destroys: true }
    }

    /// The counts, of which nothing is deleted yet.
    fn counted(&self) -> PurgeReport {
        let counts = Counts::from(&self.depth);
        let (queue, queue_arn) = (self.depth.name.clone(), self.depth.arn.clone());
        PurgeReport { queue, queue_arn, agreed: counts, before: counts, purged: false }
    }

    fn drain_to(&self, file: &Path) -> drain::Order {
        drain::Order::everything(self.queue.clone(), self.depth.arn.clone(), file.to_owned())
    }

    /// What would be deleted, or moved.
    pub async fn rehearse(&self) -> Result<Purged> {
        match &self.backup {
            None => Ok(Purged::Whole(self.counted())),
            Some(file) => Ok(Purged::Drained(Box::new(drain::rehearse(&self.depth, &self.drain_to(file)).await?))),
        }
    }
}

/// Asks, and has SQS delete every message: visible, in flight and delayed. With a backup they are drained instead, as
/// far as they can be received, and the report says how many of those that were agreed to were not.
pub async fn purge(
    ctx: &Context,
    target: &Target,
    order: &Order,
    consent: impl AsyncFnOnce(&Intent) -> Result<Change>,
) -> Result<Purged> {
    let intent = order.intent();
    match &order.backup {
        None => {
            consent(&intent).await?;
            // The question may have waited for long.
            let before = Counts::from(&depth::read(&order.queue.sqs, &order.queue.url).await?);
            ask(&order.queue).await?;
            Ok(Purged::Whole(PurgeReport { purged: true, before, ..order.counted() }))
        }
        Some(file) => {
            let mut report = drain::run(ctx, target, &order.drain_to(file), &intent, None, consent).await?;
            report.promise(Counts::from(&order.depth).total());
            Ok(Purged::Drained(Box::new(report)))
        }
    }
}

async fn ask(queue: &Queue) -> Result<()> {
    match queue.sqs.purge_queue().queue_url(&*queue.url).send().await {
        Err(error) if claimctl_aws::code(&error).is_some_and(|code| code.ends_with("PurgeQueueInProgress")) => {
            Err(Error::refused(format!("queue {} was purged less than {SECONDS} seconds ago", queue.name()))
                .caused_by(error)
                .hint(format!("SQS purges a queue once in {SECONDS} seconds: run the same command again after that"))
                .next("what is left", Next::verb("queue ls").word(queue.name())))
        }
        answer => answer.or_needs(&format!("purge queue {}", queue.name()), PURGE, &queue.arn_pattern()).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use claimctl_core::error::Kind;
    use claimctl_core::exit::Exit;

    use super::*;
    use crate::drained::Lines;
    use crate::fake::{Fake, Here};
    use crate::journal::Journal;

    fn order(fake: &Fake, backup: Option<PathBuf>, depth: QueueDepth) -> Order {
        Order { queue: fake.queue(), depth, backup }
    }

    #[tokio::test]
    async fn a_purge_with_a_backup_has_everything_in_the_file() {
        let (fake, here) = (Fake::with(23), Here::new());
        let order = order(&fake, Some(here.file("b.jsonl")), fake.depth().await);
        let purged = purge(&here.ctx, &here.target, &order, here.agree()).await.unwrap();
        let Purged::Drained(report) = purged else { panic!("it was not drained") };
        assert_eq!((report.deleted, fake.change(|state| state.left())), (23, 0));
        assert_eq!(Lines::open(&here.file("b.jsonl")).unwrap().count(), 23);
    }

    #[tokio::test]
    async fn a_backup_that_moves_less_than_was_agreed_to_is_done_in_part_and_says_so() {
        // Some were in flight, or delayed, or went elsewhere between the question and the deed.
        for (visible, in_flight, delayed) in [(3, 0, 0), (1, 2, 0), (1, 1, 1), (1, 0, 2)] {
            let (fake, here) = (Fake::with(1), Here::new());
            let agreed = QueueDepth { visible, in_flight, delayed, ..fake.depth().await };
            let order = order(&fake, Some(here.file("b.jsonl")), agreed);
            let purged = purge(&here.ctx, &here.target, &order, async |intent: &Intent| {
                let said = format!(
                    "move all of queue q that can be received, about {} visible, to {} and delete it from the queue; \
                     about {in_flight} in flight and {delayed} delayed are moved only if they become visible meanwhile",
                    count(visible, "message"),
                    here.file("b.jsonl").display()
                );
                assert_eq!(intent.what, said);
                here.agree()(intent).await
            });
            let Purged::Drained(report) = purged.await.unwrap() else { panic!("it was not drained") };
            assert_eq!((report.deleted, report.promised, report.exit()), (1, Some(3), Exit::Partial));
            assert_eq!(report.run.next, Some(Next::again()), "{visible} {in_flight} {delayed}");
        }
    }

    #[tokio::test]
    async fn a_purge_tells_what_was_there_when_it_was_done() {
        let (fake, here) = (Fake::with(5), Here::new());
        let agreed = QueueDepth { visible: 3, ..fake.depth().await };
        let purged = purge(&here.ctx, &here.target, &order(&fake, None, agreed), here.agree()).await.unwrap();
        let Purged::Whole(report) = purged else { panic!("it was drained") };
        assert_eq!((report.agreed.visible, report.before.visible, report.purged), (3, 5, true));
    }

    #[tokio::test]
    async fn a_rehearsal_with_a_backup_is_one_of_a_drain() {
        let (fake, here) = (Fake::with(5), Here::new());
        let order = order(&fake, Some(here.file("b.jsonl")), fake.depth().await);
        let Purged::Drained(report) = order.rehearse().await.unwrap() else { panic!("it would not be drained") };
        assert_eq!((report.before.visible, fake.visible()), (5, 5));
    }

    #[tokio::test]
    async fn what_is_not_agreed_to_changes_nothing_and_leaves_no_run() {
        for backup in [true, false] {
            let (fake, here) = (Fake::with(3), Here::new());
            let order = order(&fake, backup.then(|| here.file("b.jsonl")), fake.depth().await);
            let refused = purge(&here.ctx, &here.target, &order, async |intent: &Intent| {
                assert!(intent.destroys && intent.what.contains("about 3 messages visible"), "{}", intent.what);
                Err(Error::refused("no"))
            });
            assert_eq!(refused.await.err().map(|error| error.kind()), Some(Kind::Refused));
            assert_eq!((fake.visible(), here.file("b.jsonl").exists()), (3, false));
            let journal = Journal::open(&here.ctx.paths, &here.target.project).unwrap();
            assert!(journal.runs().unwrap().is_empty());
        }
    }

    #[tokio::test]
    async fn a_second_purge_within_a_minute_is_explained() {
        let fake = Fake::with(3);
        ask(&fake.queue()).await.unwrap();
        assert_eq!(fake.change(|state| state.left()), 0);
        let refused = ask(&fake.queue()).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::Refused);
        assert!(refused.to_string().contains("less than 60 seconds ago") && !refused.hints().is_empty(), "{refused}");
    }
}
