//! Records whose object is gone without a reason, deleted one by one after a last look at both.

use std::sync::atomic::{AtomicBool, Ordering};

use claimctl_aws::objects::{self, HEAD};
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::sinks::ResolvedSink;
use claimctl_aws::sinks::table::{self, RecordTable};
use claimctl_aws::target::{Change, Target};
use claimctl_claim::claim_id;
use claimctl_core::context::Context;
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::progress::Unit;
use claimctl_core::spool::Spool;
use claimctl_queues::journal::{Entry, ItemState, JournalWriter, Run};
use futures_util::{StreamExt, stream};

use super::RepairReport;
use crate::flow::BucketFlow;

const AT_ONCE: usize = 16;

enum Fate {
    Deleted,
    /// It is no orphan, or is gone.
    Spared,
}

pub(super) fn permissions(arns: &ArnBuilder, flow: &BucketFlow) -> Result<Vec<Statement>> {
    let mut statements = vec![Statement::allow("LookForObject", &[HEAD], [arns.objects(&flow.bucket, &flow.prefix)])];
    for sink in &flow.sinks {
        if let ResolvedSink::Table(name) = sink {
            statements.push(table::delete_permissions(arns, name));
        }
    }
    Ok(statements)
}

pub(super) async fn delete(
    ctx: &Context,
    target: &Target,
    flow: &BucketFlow,
    run: &Run,
    orphans: Spool<String>,
    _change: &Change,
    report: &mut RepairReport,
) -> Result<()> {
    let mut tables = Vec::new();
    for sink in &flow.sinks {
        if let ResolvedSink::Table(name) = sink {
            tables.push(RecordTable::open(target.dynamodb(), name, &flow.bucket).await?);
        }
    }
    let s3 = target.s3();
    ctx.progress.start("deleting orphaned records", Some(orphans.len()), Unit::Items);
    let writer = run.writer();
    let (tables, s3, writer) = (&tables, &s3, &writer);
    let stopped = AtomicBool::new(false);
    let goes_on = || !stopped.load(Ordering::Relaxed) && !ctx.cancel.is_cancelled();
    let fates = orphans.drain().take_while(|_| goes_on()).map(|key| async move {
        let key = key?;
        let fate = one(tables, s3, &flow.bucket, &key, writer).await;
        Ok::<_, Error>((key, fate))
    });
    let mut fates = stream::iter(fates).buffer_unordered(AT_ONCE);
    while let Some(ended) = fates.next().await {
        ctx.progress.advance(1);
        match ended? {
            (_, Ok(Fate::Deleted)) => report.deleted += 1,
            (_, Ok(Fate::Spared)) => report.spared += 1,
            (key, Err(error)) => {
                report.fail(key, error.chain().join(": "));
                if matches!(error.kind(), Kind::Denied | Kind::Unreachable | Kind::Unexpected) {
                    report.run.fail(&error);
                    // What is in flight is finished.
                    stopped.store(true, Ordering::Relaxed);
                }
            }
        }
    }
    ctx.progress.finish();
    Ok(())
}

async fn one(
    tables: &[RecordTable],
    s3: &aws_sdk_s3::Client,
    bucket: &str,
    key: &str,
    writer: &JournalWriter,
) -> Result<Fate> {
    let mut fate = Fate::Spared;
    for table in tables {
        // In this order: an object that comes between the two looks has its record written anew, and that is another.
        let Some(record) = table.get_whole(key).await? else { continue };
        if record.entry.is_retired() || objects::head(s3, bucket, key, None).await?.is_some() {
            continue;
        }
        let item: Box<str> = format!("record {} of table {}", claim_id(bucket, key), table.name).into();
        // What is deleted is still in the journal.
        let kept = serde_json::to_string(&record.attributes).unwrap_or_default();
        writer.record(vec![Entry::new(item.clone(), ItemState::Intent).with_detail(&kept)]).await?;
        match table.delete(&record).await {
            Ok(true) => {
                writer.record(vec![Entry::new(item, ItemState::Deleted).with_detail(&kept)]).await?;
                fate = Fate::Deleted;
            }
            Ok(false) => {
                let why = "it changed meanwhile, and stays";
                writer.note(vec![Entry::new(item, ItemState::Failed).with_detail(why)]).await?;
            }
            // One that may have arrived stays an intent: nobody knows.
            Err(error) if error.kind() == Kind::Unreachable => return Err(error),
            Err(error) => {
                let why = error.chain().join(": ");
                writer.note(vec![Entry::new(item, ItemState::Failed).with_detail(why)]).await?;
                return Err(error);
            }
        }
    }
    Ok(fate)
}
