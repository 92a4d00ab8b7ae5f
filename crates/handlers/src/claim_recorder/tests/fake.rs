//! As much of DynamoDB, S3 and SQS as the handler uses, in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::fake_http::{Answer, FakeHttp, Request};

#[derive(Default)]
pub struct State {
    /// By claim id.
    pub items: BTreeMap<String, Value>,
    /// The ETag of each object, by `BUCKET/KEY`.
    pub objects: BTreeMap<String, String>,
    /// The objects that were tagged.
    pub tagged: Vec<String>,
    /// Tags that every object has from somebody else.
    pub other_tags: usize,
    /// How S3 answers to a new set of tags, or to a delete, instead of doing it.
    pub s3_refuses: Option<(u16, &'static str)>,
    /// Message id and body; a received message leaves only by being deleted.
    pub queue: Vec<(String, String)>,
    /// The messages in flight.
    pub received: Vec<(String, String)>,
    /// Operations to be refused for good, once each.
    pub refuse_once: Vec<&'static str>,
}

pub struct Fake {
    pub http: FakeHttp,
    pub state: Arc<Mutex<State>>,
}

impl Fake {
    pub fn new() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        Self { http: FakeHttp::new(move |request| shared.lock().unwrap().answer(request)), state }
    }

    /// A text attribute of the record.
    pub fn attribute(&self, claim_id: &str, name: &str) -> Option<String> {
        self.state.lock().unwrap().items.get(claim_id)?[name]["S"].as_str().map(str::to_owned)
    }

    pub fn put_object(&self, path: &str, etag: &str) {
        self.state.lock().unwrap().objects.insert(path.into(), etag.into());
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> Answer {
        let operation = request.operation();
        if let Some(at) = self.refuse_once.iter().position(|refused| *refused == operation) {
            self.refuse_once.remove(at);
            return Answer::new(403, "<Error><Code>AccessDenied</Code></Error>");
        }
        match operation {
            "GetItem" => {
                let item = self.items.get(claim_id(&request.json()["Key"]));
                Answer::new(200, item.map_or(json!({}), |item| json!({ "Item": item })))
            }
            "PutItem" | "UpdateItem" => self.write(&request.json()),
            "ReceiveMessage" => self.receive(),
            "DeleteMessageBatch" => {
                for entry in request.json()["Entries"].as_array().unwrap() {
                    self.received.retain(|(id, _)| *id != entry["ReceiptHandle"]);
                }
                Answer::new(200, "{}")
            }
            _ => self.object(request),
        }
    }

    fn write(&mut self, input: &Value) -> Answer {
        let id = claim_id(if input["Item"].is_null() { &input["Key"] } else { &input["Item"] }).to_owned();
        let old = self.items.get(&id).cloned().unwrap_or(Value::Null);
        let name = |alias: &str| input["ExpressionAttributeNames"][alias].as_str().unwrap().to_owned();
        let value = |alias: &str| input["ExpressionAttributeValues"][alias].clone();
        let holds = |term: &str| match term.split(' ').collect::<Vec<_>>()[..] {
            [left, "=", right] => old[name(left)] == value(right),
            [left, "<", right] => {
                old[name(left)]["S"].as_str().is_some_and(|text| text < value(right)["S"].as_str().unwrap())
            }
            [one] => {
                let alias = one.strip_prefix("attribute_not_exists(").unwrap().strip_suffix(')').unwrap();
                old[name(alias)].is_null()
            }
            _ => panic!("{term}"),
        };
        let condition = input["ConditionExpression"].as_str().unwrap();
        if !condition.split(" OR ").any(|all| all.split(" AND ").all(holds)) {
            let mut error = json!({ "__type": "x#ConditionalCheckFailedException" });
            if !old.is_null() {
                error["Item"] = old;
            }
            return Answer::new(400, error);
        }
        let mut item = if input["Item"].is_null() { old.clone() } else { input["Item"].clone() };
        if let Some(assignments) = input["UpdateExpression"].as_str() {
            item["claim_id"] = json!({ "S": id });
            for assignment in assignments.strip_prefix("SET ").unwrap().split(", ") {
                let (alias, new) = assignment.split_once(" = ").unwrap();
                item[name(alias)] = value(new);
            }
        }
        self.items.insert(id, item);
        Answer::new(200, "{}")
    }

    fn receive(&mut self) -> Answer {
        let batch: Vec<_> = self.queue.drain(..self.queue.len().min(10)).collect();
        let messages: Vec<_> = batch
            .iter()
            .map(|(id, body)| json!({ "MessageId": id, "ReceiptHandle": id, "Body": body, "Attributes": {} }))
            .collect();
        self.received.extend(batch);
        Answer::new(200, json!({ "Messages": messages }))
    }

    fn object(&mut self, request: &Request) -> Answer {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let path = percent_decode_str(&path[1..]).decode_utf8().unwrap().into_owned();
        let Some(etag) = self.objects.get(&path).cloned() else {
            return Answer::new(404, "<Error><Code>NoSuchKey</Code></Error>");
        };
        let refusal = self.s3_refuses.filter(|_| ["PUT", "DELETE"].contains(&request.method.as_str()));
        if let Some((status, error)) = refusal {
            return Answer::new(status, format!("<Error>{error}</Error>"));
        }
        match (request.method.as_str(), query) {
            ("HEAD", _) => {
                Answer::Http { status: 200, headers: vec![("etag", format!("\"{etag}\""))], body: "body".into() }
            }
            ("GET", _) => {
                let tags = (0..self.other_tags).map(|n| format!("<Tag><Key>t{n}</Key><Value>v</Value></Tag>"));
                let tags: String = tags.collect();
                Answer::new(200, format!("<Tagging><TagSet>{tags}</TagSet></Tagging>"))
            }
            ("PUT", _) => {
                self.tagged.push(path);
                Answer::new(200, "")
            }
            ("DELETE", _) if request.headers["if-match"].trim_matches('"') != etag => {
                Answer::new(412, "<Error><Code>PreconditionFailed</Code></Error>")
            }
            ("DELETE", _) => {
                self.objects.remove(&path);
                Answer::new(204, "")
            }
            other => panic!("{other:?}"),
        }
    }
}

fn claim_id(item: &Value) -> &str {
    item["claim_id"]["S"].as_str().unwrap()
}
