//! What a replay does around its passes: the question, the run in the journal, what may be gone on with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use claimctl_aws::target::Intent;
use claimctl_core::error::{Error, Kind};
use claimctl_core::run_report::RunEnd;

use super::destination::Destination;
use super::watch::Gauges;
use super::{OnRecorded, Order, Settings, rehearse, resumable, run};
use crate::depth::QueueDepth;
use crate::fake::{Fake, Here};
use crate::journal::{Journal, Standing, Start};
use crate::send::queue::SendQueue;

async fn order(fake: &Fake, here: &Here, file: Option<PathBuf>) -> Order {
    let depth = fake.depth().await;
    let to = SendQueue { queue: fake.queue(), depth: QueueDepth { name: "claims".to_owned(), ..depth.clone() } };
    Order {
        queue: fake.queue(),
        name: file.as_ref().map_or_else(|| depth.name.clone(), |file| file.display().to_string()),
        depth,
        to: Destination::Queue(Box::new(to)),
        selection: Arc::default(),
        file,
        again: false,
        gauges: Gauges {
            cloudwatch: here.target.cloudwatch(),
            queue: None,
            functions: Vec::new(),
            every: Duration::from_secs(60),
        },
        preflight: None,
        settings: Settings {
            limit: None,
            on_recorded: OnRecorded::Skip,
            quarantine: None,
            max_replays: 3,
            max_returns: 5,
            canary: 0,
            canary_wait: Duration::ZERO,
            rate: None,
            recheck: Duration::from_secs(30),
            visibility: Duration::from_secs(30),
        },
        notes: Vec::new(),
    }
}

fn journal(here: &Here) -> Journal {
    Journal::open(&here.ctx.paths, &here.target.project).unwrap()
}

#[tokio::test]
async fn what_is_not_agreed_to_sends_nothing_and_can_be_gone_on_with() {
    let fake = Fake::with(12);
    let here = Here::calling(&fake);
    let refused = run(&here.ctx, &here.target, order(&fake, &here, None).await, None, async |intent: &Intent| {
        assert_eq!(intent.what, "send about 12 dead letters, none of them looked at, from q to claims");
        Err(Error::refused("no"))
    });
    assert_eq!(refused.await.unwrap_err().kind(), Kind::Refused);
    assert_eq!((fake.visible(), fake.change(|state| state.sent.len())), (12, 0));
    let runs = journal(&here).runs().unwrap();
    assert_eq!((runs.len(), runs[0].standing), (1, Standing::Interrupted));
    assert_eq!(resumable(&here.ctx, &here.target, &runs[0].id).await.unwrap().id, runs[0].id);
}

#[tokio::test]
async fn a_rehearsal_gives_everything_back_and_leaves_no_run() {
    let fake = Fake::with(12);
    let here = Here::calling(&fake);
    let report = rehearse(&here.ctx, &here.target, &order(&fake, &here, None).await).await.unwrap();
    assert_eq!((report.run.ended, report.run.id, report.plan.unwrap().seen), (RunEnd::DryRun, None, 12));
    assert_eq!((fake.visible(), journal(&here).runs().unwrap().len()), (12, 0));
}

#[tokio::test]
async fn a_run_of_another_verb_is_not_gone_on_with() {
    let here = Here::new();
    let run = journal(&here).begin(&Start { verb: "queue drain".to_owned(), ..Start::default() }).unwrap();
    let error = resumable(&here.ctx, &here.target, run.id()).await.unwrap_err();
    assert!(error.to_string().contains("is no replay of dead letters, it is: queue drain"), "{error}");
}

#[tokio::test]
async fn one_queue_is_one_work_and_a_file_one_for_each_destination() {
    let (fake, here) = (Fake::default(), Here::new());
    let queue = order(&fake, &here, None).await;
    let file = order(&fake, &here, Some("/f.jsonl".into())).await;
    assert_eq!(queue.key("dlq replay"), "dlq replay http://sqs.test/000000000000/q");
    assert_eq!(file.key("dlq replay"), "dlq replay /f.jsonl to claims");
}
