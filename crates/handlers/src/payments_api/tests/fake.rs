//! As much of DynamoDB as the handler uses, in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::super::config::Config;
use super::super::{Aws, Payments};
use crate::fake_http::{Answer, FakeHttp, Request, env};
use crate::log;

pub struct State {
    /// By table and key.
    items: BTreeMap<(String, String), Value>,
    /// Items of one page of a query.
    pub most_at_once: usize,
    /// Calls that are refused before one is done.
    pub throttles: u32,
    /// Writes whose answer does not arrive.
    pub loses_answers: u32,
    /// Whether a refused write does not say what was in its way.
    pub keeps_old_items_back: bool,
}

pub struct Fake {
    pub payments: Arc<Payments>,
    pub state: Arc<Mutex<State>>,
}

pub fn quote(currency: &str, amount: &str, lasts: i64) -> Value {
    let expires_at = (log::now().as_second() + lasts).to_string();
    json!({ "source_currency": { "S": currency }, "amount": { "S": amount }, "rate": { "S": "1.0842" },
        "target_currency": { "S": "USD" }, "target_amount": { "S": "10.84" }, "expires_at": { "N": expires_at } })
}

impl Fake {
    pub fn new() -> Self {
        let state = Arc::new(Mutex::new(State {
            items: BTreeMap::new(),
            most_at_once: usize::MAX,
            throttles: 0,
            loses_answers: 0,
            keeps_old_items_back: false,
        }));
        let shared = state.clone();
        let http = FakeHttp::new(move |request| shared.lock().unwrap().answer(request));
        let variables = env(&[("PAYMENTS_TABLE", "payments"), ("QUOTES_TABLE", "quotes")]);
        let config = Config::from_env(&variables).unwrap();
        let aws = Aws::from_env(&variables, http.client()).unwrap();
        Self { payments: Arc::new(Payments { config, aws }), state }
    }

    pub fn payments(&self) -> Vec<Value> {
        let state = self.state.lock().unwrap();
        state.items.iter().filter(|((table, _), _)| table == "payments").map(|(_, item)| item.clone()).collect()
    }

    pub fn set(&self, id: &str, name: &str, value: &str) {
        let mut state = self.state.lock().unwrap();
        state.items.get_mut(&("payments".into(), id.into())).unwrap()[name] = json!({ "S": value });
    }

    pub fn put_quote(&self, id: &str, quote: Value) {
        self.state.lock().unwrap().items.insert(("quotes".into(), id.into()), quote);
    }

    pub fn put_payment(&self, id: &str, customer: &str, created_at: &str) {
        let item = json!({ "payment_id": { "S": id }, "customer_id": { "S": customer }, "request_digest": { "S": "d" },
            "created_at": { "S": created_at } });
        self.state.lock().unwrap().items.insert(("payments".into(), id.into()), item);
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> Answer {
        if self.throttles > 0 {
            self.throttles -= 1;
            return Answer::new(400, json!({ "__type": "x#ProvisionedThroughputExceededException" }));
        }
        let input = request.json();
        let table = input["TableName"].as_str().unwrap().to_owned();
        let id = |item: &Value| {
            let key = if table == "quotes" { "quote_id" } else { "payment_id" };
            (table.clone(), item[key]["S"].as_str().unwrap().to_owned())
        };
        match request.operation() {
            "GetItem" => {
                assert_eq!(input["ConsistentRead"], true);
                if id(&input["Key"]).1.is_empty() {
                    return Answer::new(400, json!({ "__type": "x#ValidationException" }));
                }
                let item = self.items.get(&id(&input["Key"]));
                Answer::new(200, item.map_or(json!({}), |item| json!({ "Item": item })))
            }
            "PutItem" => {
                assert_eq!(input["ConditionExpression"], "attribute_not_exists(#payment_id)");
                match self.items.get(&id(&input["Item"])) {
                    Some(_) if self.keeps_old_items_back => {
                        Answer::new(400, json!({ "__type": "x#ConditionalCheckFailedException" }))
                    }
                    Some(old) => {
                        Answer::new(400, json!({ "__type": "x#ConditionalCheckFailedException", "Item": old }))
                    }
                    None => {
                        self.items.insert(id(&input["Item"]), input["Item"].clone());
                        if self.loses_answers > 0 {
                            self.loses_answers -= 1;
                            return Answer::Broken;
                        }
                        Answer::new(200, "{}")
                    }
                }
            }
            "Query" => self.query(&input),
            other => panic!("{other}"),
        }
    }

    fn query(&self, input: &Value) -> Answer {
        assert_eq!((&input["IndexName"], &input["ScanIndexForward"]), (&json!("by-customer"), &json!(false)));
        let customer = &input["ExpressionAttributeValues"][":key"];
        let place = |item: &Value| {
            (item["created_at"]["S"].as_str().unwrap().to_owned(), item["payment_id"]["S"].as_str().unwrap().to_owned())
        };
        let after = input.get("ExclusiveStartKey").map(|key| {
            assert_eq!(key["customer_id"], *customer);
            place(key)
        });
        let mut found: Vec<_> = self.items.values().filter(|item| item["customer_id"] == *customer).collect();
        found.sort_by_key(|item| std::cmp::Reverse(place(item)));
        found.retain(|item| after.as_ref().is_none_or(|after| place(item) < *after));
        let most = usize::try_from(input["Limit"].as_u64().unwrap()).unwrap().min(self.most_at_once);
        let page = &found[..most.min(found.len())];
        let mut answer = json!({ "Items": page });
        if let Some(last) = page.last().filter(|_| page.len() < found.len()) {
            answer["LastEvaluatedKey"] = json!({ "customer_id": last["customer_id"], "payment_id": last["payment_id"],
                "created_at": last["created_at"] });
        }
        Answer::new(200, answer)
    }
}
