//! The payments: APIs that give quotes and take payments, the way of each payment from the table's stream to the bus, and a
//! state machine that settles it. In Terraform these are four parts; in the sandbox they are one stack.

mod story;
mod work;

use super::{Document, DocumentPlace, Handler, Kind, Stack, Variable};

const VARIABLES: &[Variable] = &[
    Variable {
        name: "rates",
        parameter: "Rates",
        kind: Kind::Text { allowed: r#"JSON such as {"EUR/USD":"1.0842"}"# },
        default: r#"{"EUR/GBP":"0.8571","EUR/JPY":"163.20","EUR/USD":"1.0842"}"#,
        summary: "what one unit of a currency is worth in another",
    },
    Variable {
        name: "quote_validity",
        parameter: "QuoteValidity",
        kind: Kind::Seconds(1..=86_400),
        default: "300",
        summary: "so long does a quote hold",
    },
    Variable {
        name: "limits",
        parameter: "Limits",
        kind: Kind::Text { allowed: r#"JSON such as {"EUR":"10000"}"# },
        default: r#"{"EUR":"10000","GBP":"10000","JPY":"1500000","USD":"10000"}"#,
        summary: "above which a payment in a currency is declined",
    },
    Variable {
        name: "visibility_timeout",
        parameter: "VisibilityTimeout",
        kind: Kind::Seconds(1..=43_200),
        // Six times the functions' timeout, as for every queue that a function reads.
        default: "180",
        summary: "so long after a failure is a message tried again",
    },
];

const HANDLERS: &[Handler] = &[
    Handler { name: "quotes", key: "QuotesKey", digest: "QuotesDigest" },
    Handler { name: "payments-api", key: "PaymentsApiKey", digest: "PaymentsApiDigest" },
    Handler { name: "payment-stream", key: "PaymentStreamKey", digest: "PaymentStreamDigest" },
    Handler { name: "payment-events", key: "PaymentEventsKey", digest: "PaymentEventsDigest" },
    Handler { name: "settlement", key: "SettlementKey", digest: "SettlementDigest" },
];

const DOCUMENTS: &[Document] = &[
    Document {
        parameter: "QuoteSchema",
        text: include_str!("../../../terraform/stacks/payments/quote/schemas/quote.json"),
        place: DocumentPlace::Parameter,
    },
    Document {
        parameter: "PaymentSchema",
        text: include_str!("../../../terraform/stacks/payments/payment/schemas/payment.json"),
        place: DocumentPlace::Parameter,
    },
    Document {
        parameter: "SettlementDefinition",
        text: include_str!("../../../terraform/stacks/payments/settlement/settlement.asl.json"),
        place: DocumentPlace::Bucket,
    },
];

pub const STACK: Stack = Stack {
    name: "payments",
    summary: "payments through an API into a table, events of each on a bus, and a state machine that settles it",
    template: include_str!("template.yaml"),
    documents: DOCUMENTS,
    variables: VARIABLES,
    handlers: HANDLERS,
    work: "api call payments POST /payments --json FILE --header Idempotency-Key:KEY",
    database: false,
    play: |stage| Box::pin(story::play(stage)),
};
