//! Creating a payment, once for each idempotency key.

use jiff::Timestamp;

use super::{Payments, shown};
use crate::aws::{Condition, Item, Written};
use crate::event::Invocation;
use crate::log;
use crate::payments::attributes::text;
use crate::payments::fields::Fields;
use crate::payments::http::{Request, Response};
use crate::payments::money::{self, Currency, Money};
use crate::payments::payment::{
    self, AMOUNT, CREATED_AT, CURRENCY, CUSTOMER_ID, DESCRIPTION, PAYMENT_ID, PENDING, REQUEST_DIGEST, STATUS,
};
use crate::payments::problem::{Fault, Problem};
use crate::payments::quote::{self, EXPIRES_AT, QUOTE_ID, RATE, SOURCE_CURRENCY, TARGET_AMOUNT, TARGET_CURRENCY};

const LONGEST_DESCRIPTION: usize = 200;
const LONGEST_QUOTE_ID: usize = 64;

/// What a request asks for.
pub struct Wanted {
    payment_id: String,
    customer_id: String,
    money: Money,
    description: Option<String>,
    quote_id: Option<String>,
}

impl Payments {
    pub async fn create(&self, request: &Request<'_>, invocation: &Invocation) -> Result<Response, Problem> {
        let wanted = Wanted::read(request)?;
        let mut item = wanted.item(log::now());
        match self.quoted(&wanted, invocation).await {
            Ok(quoted) => item.extend(quoted),
            // A quote ends, and the payment that was made with it stays: sent again, its request is no worse than before.
            Err(problem) if problem.status == 422 => {
                let there = self.payment(&wanted.payment_id, invocation).await?;
                return there.map_or(Err(problem), |there| wanted.again(&there));
            }
            Err(problem) => return Err(problem),
        }
        let absent = Condition {
            expression: "attribute_not_exists(#payment_id)".into(),
            names: vec![PAYMENT_ID],
            values: vec![],
        };
        let (table, deadline) = (&self.config.payments_table, invocation.deadline);
        match self.aws.put_item(table, item.clone(), &absent, deadline).await? {
            Written::Done => {
                let mut response = Response::json(201, shown(&item).into());
                response.headers.push(("Location", request.location(&wanted.payment_id)));
                Ok(response)
            }
            Written::Refused(Some(there)) => wanted.again(&there),
            // Not every server says what was in the way.
            Written::Refused(None) => match self.payment(&wanted.payment_id, invocation).await? {
                Some(there) => wanted.again(&there),
                None => Err(Problem::internal("a payment was in the way that is not there")),
            },
        }
    }

    /// What the quote adds to the payment, if it has one.
    async fn quoted(&self, wanted: &Wanted, invocation: &Invocation) -> Result<Item, Problem> {
        let Some(id) = &wanted.quote_id else {
            return Ok(Item::new());
        };
        let key = Item::from([(QUOTE_ID.to_owned(), text(id))]);
        let found = self.aws.get_item(&self.config.quotes_table, key, invocation.deadline).await?;
        let refused = |why: &str| Problem::of_faults(422, vec![Fault::of(QUOTE_ID, why)]);
        let quote = found.ok_or_else(|| refused("is no quote, or one that has expired"))?;
        let attribute = |name: &str| quote.get(name).and_then(|value| value.as_s().ok());
        let expires_at = quote.get(EXPIRES_AT).and_then(|value| value.as_n().ok()?.parse().ok()).unwrap_or(0);
        if expires_at <= log::now().as_second() {
            return Err(refused("has expired"));
        }
        let amount = (attribute(SOURCE_CURRENCY).map(String::as_str), attribute(quote::AMOUNT).cloned());
        if amount != (Some(wanted.money.currency().code()), Some(wanted.money.to_string())) {
            return Err(refused("is a quote for another amount or currency"));
        }
        let taken = [RATE, TARGET_AMOUNT, TARGET_CURRENCY].into_iter();
        Ok(taken.filter_map(|name| Some((name.to_owned(), text(attribute(name)?)))).collect())
    }
}

impl Wanted {
    fn read(request: &Request<'_>) -> Result<Self, Problem> {
        let [] = request.query([])?;
        let key = request.header("Idempotency-Key")?;
        let key =
            key.filter(|key| (1..=255).contains(&key.len()) && key.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        let Some(key) = key else {
            return Err(Problem::new(
                400,
                "The header Idempotency-Key has to be there, with 1 to 255 characters of ASCII.",
            ));
        };
        let mut fields = Fields::parse(&request.json_text()?)?;
        let name = "1 to 64 letters, digits, -, _ and .";
        let customer_id = fields.required(CUSTOMER_ID, name, payment::is_name);
        let amount = fields.required(AMOUNT, money::FORM, money::may_be_an_amount);
        let currency = fields.required(CURRENCY, "three letters, as in \"EUR\"", money::may_be_a_code);
        let short = |text: &str| text.chars().count() <= LONGEST_DESCRIPTION;
        let may_name_a_quote = |text: &str| (1..=LONGEST_QUOTE_ID).contains(&text.chars().count());
        let description = fields.optional(DESCRIPTION, "a text of up to 200 characters", short);
        let quote_id = fields.optional(QUOTE_ID, "1 to 64 characters", may_name_a_quote);
        fields.finish()?;

        let fault = |name: &str, why: money::NotMoney| Problem::of_faults(422, vec![Fault::of(name, why)]);
        let currency = Currency::parse(&currency).map_err(|why| fault(CURRENCY, why))?;
        let money = Money::parse_positive(&amount, currency).map_err(|why| fault(AMOUNT, why))?;
        Ok(Self { payment_id: payment::id_of(key), customer_id, money, description, quote_id })
    }

    fn item(&self, now: Timestamp) -> Item {
        let attributes = [
            (PAYMENT_ID, Some(self.payment_id.clone())),
            (CUSTOMER_ID, Some(self.customer_id.clone())),
            (AMOUNT, Some(self.money.to_string())),
            (CURRENCY, Some(self.money.currency().code().to_owned())),
            (DESCRIPTION, self.description.clone()),
            (QUOTE_ID, self.quote_id.clone()),
            (REQUEST_DIGEST, Some(self.digest())),
            (STATUS, Some(PENDING.to_owned())),
            (CREATED_AT, Some(format!("{now:.3}"))),
        ];
        attributes.into_iter().filter_map(|(name, value)| Some((name.to_owned(), text(value?)))).collect()
    }

    fn digest(&self) -> String {
        let amount = self.money.to_string();
        payment::request_digest(&[
            Some(&self.customer_id),
            Some(&amount),
            Some(self.money.currency().code()),
            self.description.as_deref(),
            self.quote_id.as_deref(),
        ])
    }

    /// The answer where the key has been used before.
    fn again(&self, there: &Item) -> Result<Response, Problem> {
        let digest = there.get(REQUEST_DIGEST).and_then(|value| value.as_s().ok());
        if digest == Some(&self.digest()) {
            Ok(Response::json(200, shown(there).into()))
        } else {
            Err(Problem::new(409, "This Idempotency-Key has been used for another payment."))
        }
    }
}
