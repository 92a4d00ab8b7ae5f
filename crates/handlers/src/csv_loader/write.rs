//! The rows of a file go into the table, several batches at a time.

use std::collections::{HashMap, HashSet, VecDeque};

use aws_sdk_dynamodb::types::AttributeValue;
use claimctl_claim::record::attribute;
use tokio::task::JoinHandle;

use super::job::{Job, RENEWED_EVERY};
use super::table::{LOAD, ROW, number, text};
use crate::aws::{Failure, Item, MOST_ITEMS};
use crate::csv::{Judged, Position, Row, Value};
use crate::csv_load::{File, Stop};

/// More are no faster with the processor that a small function has.
const BATCHES_AT_ONCE: usize = 16;
/// Bytes of the rows that are on their way: what holds them takes several times as much.
const BYTES_AT_ONCE: usize = 4 << 20;

/// Batches on their way, the oldest first.
struct InFlight {
    batches: VecDeque<Flight>,
    bytes: usize,
}

struct Flight {
    task: JoinHandle<Result<(), Failure>>,
    /// Behind its last row.
    end: Position,
    bytes: usize,
}

/// Writes the rows that are not written yet, but for those that an earlier row with their key keeps out.
pub async fn rows(job: &mut Job<'_, '_>, left_out: &[u64]) -> Result<(), Stop> {
    let written = job.task.load.progress.as_ref().map(|progress| progress.written).unwrap_or_default();
    let mut in_flight = InFlight { batches: VecDeque::new(), bytes: 0 };
    let sent = send_all(job, &mut in_flight, written, left_out).await;
    // What is on its way arrives, whatever has happened: its end is known, and what is written counts.
    let settled = in_flight.settle(job, 0, 0).await;
    match (sent, settled) {
        (Ok(end), Ok(())) => {
            job.written_up_to(end);
            job.all_written();
            job.renew().await
        }
        (Err(Stop::TimeIsUp), Ok(())) => {
            job.renew().await?;
            Err(Stop::TimeIsUp)
        }
        (Err(stop), _) | (Ok(_), Err(stop)) => Err(stop),
    }
}

async fn send_all(
    job: &mut Job<'_, '_>,
    in_flight: &mut InFlight,
    written: Position,
    left_out: &[u64],
) -> Result<Position, Stop> {
    let claim_id = job.task.load.claim.id();
    let (claim_id, load) = (text(&claim_id), number(job.task.load.number));
    let left_out: HashSet<u64> = left_out.iter().copied().collect();
    let mut file = File::open_at(job.task, &job.config.rules, written).await?;
    let (mut batch, mut bytes) = (Vec::with_capacity(MOST_ITEMS), 0);
    loop {
        let mut enough = |judged: &Judged<'_>| {
            if let Ok(row) = &judged.row
                && !left_out.contains(&judged.number)
            {
                batch.push(item(row, judged.number, &claim_id, &load));
                bytes += judged.fields.map_or(0, |fields| fields.bytes());
            }
            Ok(batch.len() == MOST_ITEMS)
        };
        let full = file.take(&mut enough)?;
        let end = !full && !file.more().await?;
        if end {
            file.last(enough)?;
        }
        if (full || end) && !batch.is_empty() {
            job.go_on().await?;
            in_flight.settle(job, BATCHES_AT_ONCE - 1, BYTES_AT_ONCE).await?;
            let items = std::mem::replace(&mut batch, Vec::with_capacity(MOST_ITEMS));
            in_flight.send(job, items, std::mem::take(&mut bytes), file.position());
        }
        if end {
            return Ok(file.position());
        }
    }
}

impl InFlight {
    fn send(&mut self, job: &Job<'_, '_>, items: Vec<Item>, bytes: usize, end: Position) {
        let (aws, table, lease) = (job.task.aws.clone(), job.config.rows_table.clone(), job.lease.clone());
        let task = tokio::spawn(async move { aws.put_items(&table, items, &|| lease.deadline()).await });
        self.bytes += bytes;
        self.batches.push_back(Flight { task, end, bytes });
    }

    /// Waits until no more than these are on their way. The first that fails is told; the others are waited for then too.
    async fn settle(&mut self, job: &mut Job<'_, '_>, batches: usize, bytes: usize) -> Result<(), Stop> {
        while self.batches.len() > batches || self.bytes > bytes {
            let Some(mut flight) = self.batches.pop_front() else { break };
            self.bytes -= flight.bytes;
            let ended = loop {
                match tokio::time::timeout(RENEWED_EVERY, &mut flight.task).await {
                    Ok(ended) => break ended,
                    Err(_) => job.renew().await?,
                }
            };
            let ended = ended.unwrap_or_else(|error| Err(Failure::Unsendable(error.to_string())));
            if let Err(failure) = ended {
                for flight in self.batches.drain(..) {
                    let _ = flight.task.await;
                }
                self.bytes = 0;
                let table = &job.config.rows_table;
                return Err(Stop::problem(format!("write rows into {table}"), failure));
            }
            job.written_up_to(flight.end);
        }
        Ok(())
    }
}

impl Job<'_, '_> {
    fn written_up_to(&mut self, end: Position) {
        if let Some(progress) = &mut self.task.load.progress {
            progress.written = end;
        }
    }

    fn all_written(&mut self) {
        if let Some(progress) = &mut self.task.load.progress {
            progress.removing = Some(String::new());
        }
    }
}

fn item(row: &Row<'_>, row_number: u64, claim_id: &AttributeValue, load: &AttributeValue) -> Item {
    let stored = |value| match value {
        Value::String(text) => AttributeValue::S(text.to_owned()),
        Value::Number(digits) => AttributeValue::N(digits.into_owned()),
        Value::Boolean(value) => AttributeValue::Bool(value),
    };
    let mut item: Item = HashMap::with_capacity(row.columns() + 3);
    item.extend(row.values().map(|(name, value)| (name.to_owned(), stored(value))));
    item.insert(attribute::CLAIM_ID.into(), claim_id.clone());
    item.insert(ROW.into(), number(row_number));
    item.insert(LOAD.into(), load.clone());
    item
}
