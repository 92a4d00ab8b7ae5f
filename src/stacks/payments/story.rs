//! The story of the payments: quotes are given, payments made, each is settled or says why not, a record that is no payment
//! is put aside, and one payment is followed all the way.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use claimctl_aws::Explain;
use claimctl_aws::target::{Change, Intent};
use claimctl_claim::surface::Surface;
use claimctl_core::error::{Error, Result};
use claimctl_core::progress::Unit;
use claimctl_core::units::count;
use claimctl_payloads::flow::{Named, ResolvedFlow};
use claimctl_payloads::verify::{self, Category, Options, Verification};
use claimctl_queues::{Queue, depth, peek};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use super::work::{self, Apis, CUSTOMERS, PAYMENTS, Page, Payment, Quote};
use crate::demo::Stage;
use crate::stacks::work::LOOK_AGAIN;

const AT_ONCE: usize = 16;
const WITHIN: Duration = Duration::from_secs(60);
/// What fails comes back at once; in production that is minutes.
const SOON: [&str; 1] = ["visibility_timeout=1s"];
const POISON: &str = "no-payment";

pub async fn play(stage: &mut Stage<'_>) -> Result<()> {
    let surface = stage.deploy(&SOON).await?;
    let (apis, functions) = (surface.apis.len(), surface.functions.len());
    stage.ended("up", format!("{apis} APIs, {functions} functions and a state machine at {}", stage.endpoint()))?;

    let intent = Intent { what: format!("make {PAYMENTS} payments"), destroys: false };
    let change = stage.target.authorize(stage.ctx, &intent).await?;
    let (quote, result) = quote(stage, &surface, &change).await?;
    stage.ended("quote", result)?;
    let result = pay(stage, &surface, &change, &quote).await?;
    stage.ended("pay", result)?;
    let result = poison(stage, &surface).await?;
    stage.ended("poison", result)?;
    let payments = settled(stage, &surface, &change).await?;
    let result = outcomes(&payments)?;
    stage.ended("settle", result)?;
    let result = sums(&payments)?;
    stage.ended("sums", result)?;
    let first = payments.iter().find(|payment| payment.status == "settled");
    let result = trace(stage, &surface, first.ok_or_else(|| Error::unexpected("no payment was settled"))?).await?;
    stage.ended("trace", result)?;
    let result = prove(stage).await?;
    stage.ended("verify", result)
}

/// Asks for quotes: the first one is for the first payment.
async fn quote(stage: &Stage<'_>, surface: &Surface, change: &Change) -> Result<(Quote, String)> {
    let apis = Apis { target: &stage.target, surface, change };
    let (_, first) = work::request(0);
    let mut quotes = Vec::new();
    for currency in ["USD", "GBP", "JPY"] {
        let asked =
            json!({"source_currency": first["currency"], "target_currency": currency, "amount": first["amount"]});
        quotes.push(work::read::<Quote>(&apis.post("/quotes", &[], &asked).await?)?);
    }
    let told = quotes.iter().map(|quote| format!("{} {}", quote.target_amount, quote.target_currency));
    let told = told.collect::<Vec<_>>().join(", ");
    let quote = quotes.swap_remove(0);
    let result = format!("{} {} are {told}", quote.amount, quote.source_currency);
    Ok((quote, result))
}

/// Makes all payments, several at once, and the last one again.
async fn pay(stage: &Stage<'_>, surface: &Surface, change: &Change, quote: &Quote) -> Result<String> {
    let apis = Apis { target: &stage.target, surface, change };
    stage.ctx.progress.start("paying", Some(PAYMENTS), Unit::Items);
    let made: Vec<Payment> = stream::iter(0..PAYMENTS)
        .map(|number| async move {
            let payment = pay_one(&apis, number, quote).await;
            stage.ctx.progress.advance(1);
            payment
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let again = pay_one(&apis, PAYMENTS - 1, quote).await?;
    let last = made.last().map(|payment| payment.payment_id.as_str());
    if last != Some(again.payment_id.as_str()) {
        return Err(Error::unexpected("the same key and the same payment made another payment"));
    }
    let made = count(made.len() as u64, "payment");
    Ok(format!("{made} of {}; the last one, sent twice, is one", count(CUSTOMERS, "customer")))
}

async fn pay_one(apis: &Apis<'_>, number: u64, quote: &Quote) -> Result<Payment> {
    let (key, mut body) = work::request(number);
    if number == 0 {
        body["quote_id"] = quote.quote_id.as_str().into();
    }
    work::read(&apis.post("/payments", &[("Idempotency-Key", &key)], &body).await?)
}

/// Writes an item into the table that no API would: the function that reads the stream puts its record aside.
async fn poison(stage: &Stage<'_>, surface: &Surface) -> Result<String> {
    let put = stage.target.dynamodb().put_item().table_name(&surface.table("payments")?.name);
    let put = put.item("payment_id", AttributeValue::S(POISON.to_owned()));
    let put = put.item("amount", AttributeValue::S("a lot".to_owned()));
    put.send().await.or_explain("write an item that is no payment")?;
    let diverted = surface.function("payment-stream")?.diverted.as_deref().unwrap_or_default();
    let diverted = Queue::new(stage.target.sqs(), &surface.queue(diverted)?.url);
    stage.ctx.progress.start("waiting for the record that is no payment", None, Unit::Steps);
    let deadline = Instant::now() + WITHIN;
    while depth::read(&stage.target.sqs(), &diverted.url).await?.visible == 0 {
        if stage.ctx.cancel.is_cancelled() {
            return Ok("not waited for".to_owned());
        }
        if Instant::now() > deadline {
            return Err(look_for_yourself("the record that is no payment was not put aside"));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    let mut why = String::new();
    peek::peek(&diverted, None, &stage.ctx.cancel, stage.ctx.progress.as_ref(), |message| {
        why = message.attributes.get("ErrorMessage").map_or_else(String::new, |said| said.value.clone());
        Ok(())
    })
    .await?;
    Ok(format!("1 record that is no payment is in the queue for such: {why}"))
}

/// Waits until every payment has an outcome, and gives all of them.
async fn settled(stage: &Stage<'_>, surface: &Surface, change: &Change) -> Result<Vec<Payment>> {
    let apis = Apis { target: &stage.target, surface, change };
    stage.ctx.progress.start("waiting for the settlement", Some(PAYMENTS), Unit::Items);
    let (deadline, mut before) = (Instant::now() + WITHIN, 0);
    loop {
        let mut all = Vec::new();
        for customer in 0..CUSTOMERS {
            let page: Page = apis.get(&format!("/payments?customer_id=customer-{customer}&limit=100")).await?;
            all.extend(page.payments);
        }
        let done = all.iter().filter(|payment| payment.status != "pending").count() as u64;
        stage.ctx.progress.advance(done.saturating_sub(before));
        before = before.max(done);
        if (done == PAYMENTS && all.len() as u64 == PAYMENTS) || stage.ctx.cancel.is_cancelled() {
            return Ok(all);
        }
        if Instant::now() > deadline {
            return Err(look_for_yourself(format!("of {PAYMENTS} payments {done} have an outcome")));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// As many failed as are over the limit, and each says why.
fn outcomes(payments: &[Payment]) -> Result<String> {
    let with = |status: &'static str| payments.iter().filter(move |payment| payment.status == status);
    let over = (0..PAYMENTS).filter(|number| work::is_over_the_limit(*number)).count();
    let (settled, failed) = (with("settled").count(), with("failed").count());
    let why = with("failed").next().and_then(|payment| payment.reason.as_deref()).unwrap_or_default();
    if failed != over || why.is_empty() {
        return Err(look_for_yourself(format!("{settled} payments are settled, {failed} failed: {why}")));
    }
    Ok(format!("{settled} settled, {failed} failed: {why}"))
}

/// What was asked for is what was settled and what failed, in each currency.
fn sums(payments: &[Payment]) -> Result<String> {
    let with = |status: &'static str| work::told(payments.iter().filter(move |payment| payment.status == status));
    let (asked, told) = (work::asked(), work::told(payments.iter())?);
    if asked != told {
        let (asked, told) = (work::words(&asked), work::words(&told));
        return Err(look_for_yourself(format!("asked for were {asked}; in the table are {told}")));
    }
    Ok(format!(
        "settled {}; failed {}; together what was asked for",
        work::words(&with("settled")?),
        work::words(&with("failed")?)
    ))
}

/// The way of one payment: its item, its events, its execution.
async fn trace(stage: &Stage<'_>, surface: &Surface, payment: &Payment) -> Result<String> {
    let id = &payment.payment_id;
    stage.ctx.progress.start("waiting for the events of a payment", None, Unit::Steps);
    let group = &surface.log_group("payment-events")?.name;
    let deadline = Instant::now() + WITHIN;
    let events = loop {
        let read = stage.target.logs().filter_log_events().log_group_name(group).filter_pattern(format!("\"{id}\""));
        let lines = read.send().await.or_explain("read the events")?.events.unwrap_or_default();
        let lines = lines.iter().filter_map(|line| serde_json::from_str::<serde_json::Value>(line.message()?).ok());
        let events: Vec<_> = lines.filter_map(|event| Some(event["detail-type"].as_str()?.to_owned())).collect();
        if events.iter().any(|event| event == "PaymentSettled") || stage.ctx.cancel.is_cancelled() {
            break events;
        }
        if Instant::now() > deadline {
            return Err(look_for_yourself(format!("the events of {id} are {events:?}")));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    };
    let machine = &surface.state_machine("settlement")?.arn;
    let execution = format!("{}:{id}", machine.replacen(":stateMachine:", ":execution:", 1));
    let describe = stage.target.step_functions().describe_execution().execution_arn(execution);
    let execution = describe.send().await.or_explain("look at the execution")?;
    let (amount, currency, events) = (&payment.amount, &payment.currency, events.join(" and "));
    Ok(format!("{id}: {amount} {currency} settled; {events} on the bus; its execution {}", execution.status().as_str()))
}

/// Every payment has its outcome, and the record that is no payment is where it was put.
async fn prove(stage: &Stage<'_>) -> Result<String> {
    let flow = ResolvedFlow::find(&stage.target, &Named::default()).await?;
    let Verification { numbers, counts, balanced, .. } =
        verify::verify(&stage.target, &flow, &Options::default(), &stage.ctx.cancel, stage.ctx.progress.as_ref())
            .await?;
    let [settled, failed, dead] =
        [Category::Settled, Category::Failed, Category::Dead].map(|category| counts[category]);
    let told = format!("{} items: {settled} settled, {failed} failed, {dead} dead", numbers.total());
    match numbers.total() == PAYMENTS + 1 && settled + failed == PAYMENTS && dead == 1 && balanced {
        true => Ok(format!("{told}, 0 missing; the counts add up")),
        false => Err(look_for_yourself(told)),
    }
}

fn look_for_yourself(what: impl Into<String>) -> Error {
    Error::unexpected(what).hint("look for yourself: claimctl demo payments --keep, then claimctl local logs")
}
