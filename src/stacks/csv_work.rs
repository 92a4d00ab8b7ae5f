//! What the stacks that load CSV files share: variables, and what their stories are made of (records waited for, rows
//! counted, what was left out and refused, and an event that no function can read).

use std::time::{Duration, Instant};

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use claimctl_aws::Explain;
use claimctl_claim::surface::Surface;
use claimctl_claim::{Status, record::attribute};
use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::progress::{Silent, Unit};
use claimctl_core::units::count;
use claimctl_payloads::flow::{Named, ResolvedFlow};
use claimctl_payloads::records::{self, RecordFilter};
use claimctl_queues::depth;
use serde_json::{Map, Value};

use super::{Kind, Variable, work};
use crate::demo::Stage;

pub const DELIMITER: Variable = Variable {
    name: "delimiter",
    parameter: "Delimiter",
    kind: Kind::OneOf(&[",", ";", "|", "tab"]),
    default: ",",
    summary: "what separates the fields",
};

pub const MAX_REJECTED: Variable = Variable {
    name: "max_rejected",
    parameter: "MaxRejected",
    kind: Kind::Percent,
    default: "10",
    summary: "the share of a file's rows that may be left out",
};

pub const TIMEOUT: Variable = Variable {
    name: "timeout",
    parameter: "Timeout",
    // The longest that Lambda has (AWS Lambda Developer Guide, "Lambda quotas").
    kind: Kind::Seconds(1..=900),
    default: "900",
    summary: "after which a file goes on in a further invocation",
};

/// A file that is called a CSV and is none.
pub const PICTURE: &str = "picture.csv";
const WITHIN: Duration = Duration::from_secs(60);
/// So much of a rejected row is told.
const SHOWN: usize = 120;

/// What the record of a file says.
pub struct Recorded {
    pub key: String,
    pub rows: u64,
    pub rejected: u64,
    status: Option<Status>,
    rejected_key: Option<String>,
    refused: Option<String>,
}

impl Recorded {
    fn of(record: &Map<String, Value>) -> Recorded {
        let text = |name: &str| record.get(name).and_then(Value::as_str).map(str::to_owned);
        let number = |name: &str| record.get(name).and_then(Value::as_u64).unwrap_or(0);
        Recorded {
            key: text(attribute::OBJECT_KEY).unwrap_or_default(),
            rows: number(attribute::ROWS),
            rejected: number("rejected"),
            status: text(attribute::STATUS).and_then(|status| Status::parse(&status)),
            rejected_key: text("rejected_key"),
            refused: text(attribute::STEP_ERROR),
        }
    }

    fn is_finished(&self) -> bool {
        self.status == Some(Status::Processed) || self.refused.is_some()
    }
}

/// Puts the picture beside the files of the stage.
pub fn draw(stage: &Stage<'_>) -> Result<()> {
    let path = stage.payloads().join(PICTURE);
    std::fs::write(&path, b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR").on("write", &path)
}

/// Waits until the records of so many files, and of the picture, are finished.
pub async fn finished(stage: &Stage<'_>, files: u64) -> Result<Vec<Recorded>> {
    stage.ctx.progress.start("waiting for the records of the files", None, Unit::Steps);
    let flow = ResolvedFlow::find(&stage.target, &Named::default()).await?;
    let deadline = Instant::now() + WITHIN;
    loop {
        let recorded = recorded(stage, &flow).await?;
        let done = recorded.iter().filter(|record| record.is_finished()).count() as u64;
        if done > files || stage.ctx.cancel.is_cancelled() {
            return Ok(recorded);
        }
        if Instant::now() > deadline {
            return Err(look_for_yourself(stage, format!("{done} of {} files have a finished record", files + 1)));
        }
        tokio::time::sleep(work::LOOK_AGAIN).await;
    }
}

async fn recorded(stage: &Stage<'_>, flow: &ResolvedFlow) -> Result<Vec<Recorded>> {
    let (cancel, progress) = (&stage.ctx.cancel, &Silent);
    let found = records::list(&stage.target, flow, &RecordFilter::default(), u64::MAX, cancel, progress).await?;
    Ok(found.records.head(usize::MAX)?.iter().map(Recorded::of).collect())
}

/// Counts the rows where they are: as many as the records tell of, and as were to come there.
pub async fn loaded(stage: &Stage<'_>, recorded: &[Recorded], wanted: Option<u64>) -> Result<String> {
    let flow = ResolvedFlow::find(&stage.target, &Named::default()).await?.bucket()?;
    let Some(source) = &flow.rows else { return Err(Error::unexpected("the flow does not say where the rows are")) };
    let mut rows = 0;
    let add = |_: &str, more| {
        rows += more;
        Ok(())
    };
    source.read(&stage.target, &flow.bucket, "", add).await?;
    let told: u64 = recorded.iter().map(|record| record.rows).sum();
    let wanted = wanted.unwrap_or(told);
    if (rows, told) != (wanted, wanted) && !stage.ctx.cancel.is_cancelled() {
        let there = format!("of {wanted} rows, {rows} are in the {}, and {told} in the records", source.words());
        return Err(look_for_yourself(stage, there));
    }
    let files = recorded.iter().filter(|record| record.refused.is_none()).count() as u64;
    Ok(format!(
        "{} of {} in {}, as many as their records say",
        count(rows, "row"),
        count(files, "file"),
        source.words()
    ))
}

/// Rows that could not be stored, and what the first file of them says.
pub async fn left_out(stage: &Stage<'_>, bucket: &str, recorded: &[Recorded]) -> Result<String> {
    let told: u64 = recorded.iter().map(|record| record.rejected).sum();
    let Some(key) = recorded.iter().find_map(|record| record.rejected_key.as_ref()) else {
        return Err(Error::unexpected("no file of rejected rows was written"));
    };
    let get = stage.target.s3().get_object().bucket(bucket).key(key);
    let body = get.send().await.or_explain("read the rejected rows")?.body.collect().await;
    let body = body.map_err(|error| Error::unreachable("cannot read the rejected rows").caused_by(error))?.to_vec();
    let text = String::from_utf8_lossy(&body);
    let first = text.lines().nth(1).unwrap_or_default();
    Ok(format!("{}; the first one of {key}: {}", count(told, "row"), first.chars().take(SHOWN).collect::<String>()))
}

/// Why the picture was not loaded.
pub fn refused(recorded: &[Recorded]) -> Result<String> {
    let picture = recorded.iter().find(|record| record.key.ends_with(PICTURE));
    match picture.and_then(|record| record.refused.as_ref()) {
        Some(why) => Ok(format!("{PICTURE}: {why}")),
        None => Err(Error::unexpected(format!("the record of {PICTURE} does not say why it is not loaded"))),
    }
}

/// An event that is no claim fails three times, and ends in the dead-letter queue.
pub async fn poison(stage: &Stage<'_>, surface: &Surface, function: &str) -> Result<String> {
    let ctx = stage.ctx;
    let function = surface.function(function)?;
    let dead = surface.queue(function.dead_letter.as_deref().unwrap_or_default())?;
    let invoke = stage.target.lambda().invoke().function_name(&function.name).qualifier("live");
    let invoke = invoke.invocation_type(InvocationType::Event).payload(Blob::new(r#"{"this":"is no claim"}"#));
    invoke.send().await.or_explain("invoke the function")?;
    ctx.progress.start("waiting for the dead-letter queue", None, Unit::Steps);
    let deadline = Instant::now() + WITHIN;
    while depth::read(&stage.target.sqs(), &dead.url).await?.visible == 0 {
        if ctx.cancel.is_cancelled() {
            return Ok("not waited for".to_owned());
        }
        if Instant::now() > deadline {
            return Err(Error::unexpected("the event that is no claim did not reach the dead-letter queue"));
        }
        tokio::time::sleep(work::LOOK_AGAIN).await;
    }
    Ok("1 event that is no claim was tried three times, and is in the dead-letter queue".to_owned())
}

fn look_for_yourself(stage: &Stage<'_>, what: String) -> Error {
    let name = stage.stack_name();
    Error::unexpected(what).hint(format!("look for yourself: claimctl demo {name} --keep, then claimctl local logs"))
}
