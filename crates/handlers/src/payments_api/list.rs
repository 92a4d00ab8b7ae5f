//! The payments of a customer, page by page.

use aws_smithy_types::base64;
use serde_json::{Value, json};

use super::{Payments, shown};
use crate::aws::{Item, Place};
use crate::event::Invocation;
use crate::payments::attributes::text;
use crate::payments::http::{Request, Response};
use crate::payments::payment::{self, CREATED_AT, CUSTOMER_ID, PAYMENT_ID};
use crate::payments::problem::Problem;
use crate::payments::short_digest;

/// The index: by customer, in the order of creation.
const BY_CUSTOMER: &str = "by-customer";
const MOST: usize = 100;
const USUAL: usize = 50;
/// Of a sort key, in bytes.
const LONGEST_KEY: usize = 1024;

impl Payments {
    pub async fn list(&self, request: &Request<'_>, invocation: &Invocation) -> Result<Response, Problem> {
        let [customer, limit, next] = request.query([CUSTOMER_ID, "limit", "next"])?;
        let Some(customer) = customer.filter(|customer| payment::is_name(customer)) else {
            let why = "The query parameter customer_id has to be there, with 1 to 64 letters, digits, -, _ and .";
            return Err(Problem::new(400, why));
        };
        let limit = match limit {
            None => USUAL,
            Some(text) => limit_of(text)
                .ok_or_else(|| Problem::new(400, format!("The query parameter limit can be 1 to {MOST}.")))?,
        };
        let mut after = match next {
            None => None,
            Some(token) => Some(
                place_of(token, customer)
                    .ok_or_else(|| Problem::new(400, "The query parameter next is no token of this list."))?,
            ),
        };
        let mut payments = Vec::new();
        // A page of the service may be short of the limit, or even empty, and have more behind it.
        while payments.len() < limit {
            let left = limit - payments.len();
            let table = &self.config.payments_table;
            let key = (CUSTOMER_ID, customer);
            let page = self.aws.query_latest(table, BY_CUSTOMER, key, left, after, invocation.deadline).await?;
            payments.extend(page.0.iter().map(|item| Value::from(shown(item))));
            after = page.1;
            if after.is_none() {
                break;
            }
        }
        let next = after.as_ref().and_then(|place| token_of(place, customer));
        Ok(Response::json(200, json!({ "payments": payments, "next": next })))
    }
}

fn limit_of(text: &str) -> Option<usize> {
    let digits = (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?.filter(|limit| (1..=MOST).contains(limit))
}

/// The place is told in full and sealed with a digest: a token that was changed, or taken from another customer's list,
/// is none. It is no secret: it only leads to where its reader has been.
fn token_of(place: &Place, customer: &str) -> Option<String> {
    let attribute = |name: &str| place.get(name).and_then(|value| value.as_s().ok());
    let (created_at, id) = (attribute(CREATED_AT)?, attribute(PAYMENT_ID)?);
    let text = json!([created_at, id, seal(created_at, id, customer)]).to_string();
    // As it may be in a query without being encoded.
    Some(base64::encode(text).trim_end_matches('=').replace('+', "-").replace('/', "_"))
}

fn place_of(token: &str, customer: &str) -> Option<Place> {
    let mut token = token.replace('-', "+").replace('_', "/");
    token.extend(std::iter::repeat_n('=', (4 - token.len() % 4) % 4));
    let told: Value = serde_json::from_slice(&base64::decode(token).ok()?).ok()?;
    let [created_at, id, sealed] = [0, 1, 2].map(|at| told[at].as_str().unwrap_or_default());
    // What DynamoDB takes for keys; whatever else somebody has put into the table may be where a page ends.
    let are_keys = (1..=LONGEST_KEY).contains(&created_at.len()) && (1..=LONGEST_KEY).contains(&id.len());
    (are_keys && sealed == seal(created_at, id, customer)).then(|| {
        Item::from([
            (CUSTOMER_ID.to_owned(), text(customer)),
            (CREATED_AT.to_owned(), text(created_at)),
            (PAYMENT_ID.to_owned(), text(id)),
        ])
    })
}

fn seal(created_at: &str, id: &str, customer: &str) -> String {
    short_digest(json!([customer, created_at, id]).to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place() -> Place {
        place_of(&token(), "c").unwrap()
    }

    fn token() -> String {
        let place = Item::from([
            (CREATED_AT.to_owned(), text("2026-01-02T03:04:05.678Z")),
            (PAYMENT_ID.to_owned(), text("pay-1")),
        ]);
        token_of(&place, "c").unwrap()
    }

    #[test]
    fn a_token_leads_back_to_its_place_and_only_for_its_customer() {
        assert_eq!(place()[CUSTOMER_ID], text("c"));
        assert_eq!(place()[CREATED_AT], text("2026-01-02T03:04:05.678Z"));
        assert_eq!(token_of(&place(), "c").unwrap(), token());
        assert_eq!(place_of(&token(), "d"), None);
        assert!(token().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    }

    #[test]
    fn a_limit_is_a_small_whole_number() {
        assert_eq!(["1", "100", "007"].map(limit_of), [Some(1), Some(100), Some(7)]);
        assert_eq!(["0", "101", "", "-1", "+1", "1.0", "1e1", " 1"].map(limit_of), [None; 8]);
    }

    proptest! {
        #[test]
        fn what_is_no_token_is_none(text in "\\PC{0,80}", at in 0..100_usize, with in "[A-Za-z0-9_-]") {
            prop_assert_eq!(place_of(&text, "c"), None);
            let mut changed = token();
            let at = at % changed.len();
            changed.replace_range(at..=at, &with);
            prop_assert!(changed == token() || place_of(&changed, "c").is_none_or(|changed| changed == place()));
        }
    }
}
