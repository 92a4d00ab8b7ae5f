//! A table scanned in segments side by side.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;
use aws_sdk_dynamodb::operation::scan::{ScanError, ScanOutput};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use claimctl_core::error::Result;
use futures_util::stream;

use super::read_rate::{ReadRate, used};
use crate::Explain;
use crate::backoff::{Backoff, is_throttled};

const SEGMENTS: i32 = 4;

pub const SCAN: &str = "dynamodb:Scan";

/// An item as DynamoDB gives it.
pub type Item = HashMap<String, AttributeValue>;

/// For a statement that allows what was denied.
pub fn arn_pattern(table: &str) -> String {
    format!("arn:*:dynamodb:*:*:table/{table}")
}

/// Pages of the items whose partition key begins so, read consistently and in no order. The call names it `#id`.
pub fn beginning_with(
    call: ScanFluentBuilder,
    table: &str,
    beginning: String,
    rate: Option<Arc<ReadRate>>,
) -> impl stream::Stream<Item = Result<Vec<Item>>> {
    let mut call = call.total_segments(SEGMENTS).consistent_read(true);
    if rate.is_some() {
        call = call.return_consumed_capacity(ReturnConsumedCapacity::Total);
    }
    if !beginning.is_empty() {
        call = call
            .filter_expression("begins_with(#id, :beginning)")
            .expression_attribute_values(":beginning", AttributeValue::S(beginning));
    }
    stream::select_all((0..SEGMENTS).map(|number| Box::pin(segment(call.clone().segment(number), table, rate.clone()))))
}

fn segment(
    call: ScanFluentBuilder,
    table: &str,
    rate: Option<Arc<ReadRate>>,
) -> impl stream::Stream<Item = Result<Vec<Item>>> + use<> {
    let (doing, arn) = (format!("scan table {table}"), arn_pattern(table));
    // The state is where to go on: at first nowhere, and none at the end.
    stream::try_unfold(Some(None), move |start: Option<Option<Item>>| {
        let (call, doing, arn, rate) = (call.clone(), doing.clone(), arn.clone(), rate.clone());
        async move {
            let Some(start) = start else { return Ok(None) };
            let mut backoff = Backoff::new();
            let page = loop {
                let call = call.clone().set_exclusive_start_key(start.clone());
                let answer = match &rate {
                    Some(rate) => paced(call, rate).await,
                    None => call.send().await,
                };
                match answer {
                    Err(error) if is_throttled(&error) && backoff.pause().await => {}
                    answer => break answer.or_needs(&doing, SCAN, &arn)?,
                }
            };
            let next = page.last_evaluated_key.filter(|key| !key.is_empty());
            Ok(Some((page.items.unwrap_or_default(), next.map(Some))))
        }
    })
}

async fn paced(call: ScanFluentBuilder, rate: &ReadRate) -> Result<ScanOutput, SdkError<ScanError, HttpResponse>> {
    let used = |answer: &Result<ScanOutput, _>| {
        let Ok(page) = answer else { return 0.0 };
        let items = page.scanned_count();
        let units = used(page.consumed_capacity.as_slice(), items.try_into().unwrap_or_default());
        rate.learn(items, units);
        units
    };
    rate.paced(call.limit(rate.page()).send(), used).await
}
