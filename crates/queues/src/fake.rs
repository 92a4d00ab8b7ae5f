//! An SQS inside the test's own process, for what a real one does too seldom: deliver twice, fail single entries.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use claimctl_aws::target::{Change, Intent, KnownSurfaces, LOCAL, ReadSurfaces, Target};
use claimctl_core::cancel::Cancel;
use claimctl_core::change_log::ChangeLog;
use claimctl_core::context::{Context, Paths, Variables};
use claimctl_core::error::Result;
use claimctl_core::progress::Silent;
use serde_json::{Value, json};

use super::{Queue, digest};
use crate::depth::{self, QueueDepth};

#[derive(Debug, Clone, Default)]
pub struct Fake(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub struct State {
    pub messages: BTreeMap<usize, Stored>,
    /// Every N-th received message stays visible, as if it had been delivered to two servers.
    pub twice_every: Option<usize>,
    /// How often each entry of a visibility change fails before it works.
    pub entry_failures: usize,
    pub entry_code: &'static str,
    /// The code that every receive after so many fails with.
    pub receives_fail: Option<(usize, &'static str)>,
    /// The code that every delete fails with.
    pub deletes_fail: Option<&'static str>,
    /// How often each entry of a delete fails before it works, and the code.
    pub delete_entries_fail: (usize, &'static str),
    /// So many deletes are answered late: after this time.
    pub late_deletes: (usize, Duration),
    pub deletes: usize,
    purged: bool,
    /// Messages whose bodies are changed on the way to whoever receives them.
    pub altered: Vec<usize>,
    /// The body that is changed on the way when it is sent.
    pub alters: Option<&'static str>,
    /// Each receive is followed by a new message.
    pub producer: bool,
    /// Whatever there is, the counts say zero.
    pub counts_nothing: bool,
    /// Counts of visible messages stay above zero until as many were extended as there are.
    pub counts_until_extended: bool,
    pub attributes: HashMap<&'static str, String>,
    /// Entries of sends that were taken, in order.
    pub sent: Vec<Value>,
    /// Sends of this body fail so often, with this code, by the sender's fault or not.
    pub sends_fail: HashMap<&'static str, (usize, &'static str, bool)>,
    /// What becomes of whole sends, in turn: an error's code, or [`LOST`].
    pub send_calls: Vec<&'static str>,
    /// The message id that every send is answered with.
    pub sent_id: Option<&'static str>,
    pub receives: usize,
    pub extended: usize,
    /// The most messages that the receives so far could have taken.
    pub asked: usize,
    failed: HashMap<String, usize>,
}

/// The call arrives, and its answer does not.
pub const LOST: &str = "lost";

#[derive(Debug)]
pub struct Stored {
    pub visible_at: Instant,
    pub receives: usize,
    pub deleted: bool,
    sent: u64,
}

impl Fake {
    pub fn with(messages: usize) -> Fake {
        let fake = Fake::default();
        fake.change(|state| (0..messages).for_each(|_| state.send(1_000)));
        fake
    }

    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    pub fn queue(&self) -> Queue {
        let connector = SharedHttpConnector::new(self.clone());
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("a", "s", None, None, "test"))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        Queue::new(aws_sdk_sqs::Client::from_conf(config), "http://sqs.test/000000000000/q")
    }

    pub async fn depth(&self) -> QueueDepth {
        let queue = self.queue();
        depth::read(&queue.sqs, &queue.url).await.unwrap()
    }

    pub fn visible(&self) -> usize {
        self.change(|state| state.visible().len())
    }
}

/// A folder of its own, and an environment on this machine where nothing is deployed.
pub struct Here {
    pub folder: tempfile::TempDir,
    pub ctx: Context,
    pub target: Target,
}

struct Nothing;

impl ReadSurfaces for Nothing {
    fn read<'a>(&'a self, _: &'a Target) -> Pin<Box<dyn Future<Output = Result<KnownSurfaces>> + Send + 'a>> {
        Box::pin(async { Ok(KnownSurfaces::default()) })
    }
}

impl Here {
    pub fn new() -> Here {
        Here::calling(&Fake::default())
    }

    /// With clients whose calls this one answers.
    pub fn calling(fake: &Fake) -> Here {
        let folder = tempfile::tempdir().unwrap();
        let progress = Arc::new(Silent);
        let paths = Paths { cache: folder.path().join("cache"), state: folder.path().join("state") };
        let ctx = Context {
            change_log: Arc::new(ChangeLog::at(&paths.state, Vec::new())),
            paths,
            working_directory: folder.path().to_owned(),
            cancel: Cancel::default(),
            progress: progress.clone(),
            variables: Variables::default(),
        };
        let connector = SharedHttpConnector::new(fake.clone());
        let sdk = aws_config::SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("a", "s", None, None, "test")))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        let target = Target::new("shop", sdk, Box::new(Nothing), progress).unwrap().in_environment(LOCAL, None, false);
        Here { folder, ctx, target }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An operator who agrees to everything.
    pub fn agree(&self) -> impl AsyncFnOnce(&Intent) -> Result<Change> + '_ {
        async |intent: &Intent| {
            let checked = self.target.guard().await?;
            checked.begin(&self.ctx, intent).await
        }
    }
}

impl State {
    fn send(&mut self, sent: u64) {
        self.messages
            .insert(self.messages.len(), Stored { visible_at: Instant::now(), receives: 0, deleted: false, sent });
    }

    fn visible(&self) -> Vec<usize> {
        let now = Instant::now();
        let visible = |message: &Stored| !message.deleted && message.visible_at <= now;
        self.messages.iter().filter(|(_, message)| visible(message)).map(|(id, _)| *id).collect()
    }

    /// How many are not deleted.
    pub fn left(&self) -> usize {
        self.messages.values().filter(|message| !message.deleted).count()
    }

    /// With an old handle, or too late, SQS may say that it worked and delete nothing.
    fn delete(&mut self, request: &Value) -> Result<Value, &'static str> {
        self.deletes += 1;
        if let Some(code) = self.deletes_fail {
            return Err(code);
        }
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in request["Entries"].as_array().unwrap() {
            let handle = entry["ReceiptHandle"].as_str().unwrap();
            let Some((id, receipt)) = handle.split_once('/') else {
                failed.push(json!({"Id": entry["Id"], "Code": "ReceiptHandleIsInvalid", "SenderFault": true}));
                continue;
            };
            let failures = self.failed.entry(format!("delete {handle}")).or_default();
            *failures += 1;
            if *failures <= self.delete_entries_fail.0 {
                failed.push(json!({"Id": entry["Id"], "Code": self.delete_entries_fail.1, "SenderFault": false}));
                continue;
            }
            let message = self.messages.get_mut(&id.parse().unwrap()).unwrap();
            message.deleted |= receipt == message.receives.to_string() && message.visible_at > Instant::now();
            successful.push(json!({"Id": entry["Id"]}));
        }
        Ok(json!({"Successful": successful, "Failed": failed}))
    }

    /// How long a call is on its way.
    fn delay(&mut self, operation: &str) -> Duration {
        let (left, delay) = &mut self.late_deletes;
        if operation != "AmazonSQS.DeleteMessageBatch" || *left == 0 {
            return Duration::ZERO;
        }
        *left -= 1;
        *delay
    }

    fn receive(&mut self, request: &Value) -> Result<Value, &'static str> {
        self.receives += 1;
        if let Some((after, code)) = self.receives_fail
            && self.receives > after
        {
            return Err(code);
        }
        let most = request["MaxNumberOfMessages"].as_u64().unwrap() as usize;
        self.asked += most;
        let mut taken = Vec::new();
        for id in self.visible().into_iter().take(most) {
            let twice = self.twice_every.is_some_and(|every| id % every == 0);
            let message = self.messages.get_mut(&id).unwrap();
            message.receives += 1;
            if !(twice && message.receives == 1) {
                message.visible_at = Instant::now() + seconds(&request["VisibilityTimeout"]);
            }
            taken.push(json!({
                "MessageId": format!("m{id}"), "ReceiptHandle": format!("{id}/{}", message.receives),
                "Body": if self.altered.contains(&id) { "{ }" } else { "{}" }, "MD5OfBody": digest::of_body("{}"),
                "Attributes": {"ApproximateReceiveCount": message.receives.to_string(), "SentTimestamp": message.sent.to_string(),
                    "ApproximateFirstReceiveTimestamp": "2000"},
            }));
        }
        if self.producer {
            self.send(3_000);
        }
        Ok(json!({ "Messages": taken }))
    }

    fn change_visibility(&mut self, request: &Value) -> Value {
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in request["Entries"].as_array().unwrap() {
            let handle = entry["ReceiptHandle"].as_str().unwrap();
            let (id, receipt) = handle.split_once('/').unwrap();
            let timeout = seconds(&entry["VisibilityTimeout"]);
            let failures = self.failed.entry(handle.to_owned()).or_default();
            *failures += 1;
            let message = self.messages.get_mut(&id.parse().unwrap()).unwrap();
            if *failures <= self.entry_failures {
                failed.push(json!({"Id": entry["Id"], "Code": self.entry_code, "SenderFault": false}));
            } else if receipt != message.receives.to_string() {
                failed.push(json!({"Id": entry["Id"], "Code": "ReceiptHandleIsInvalid", "SenderFault": true}));
            } else {
                self.extended += usize::from(!timeout.is_zero());
                message.visible_at = Instant::now() + timeout;
                successful.push(json!({"Id": entry["Id"]}));
            }
        }
        json!({"Successful": successful, "Failed": failed})
    }

    fn send_batch(&mut self, request: &Value) -> Result<Value, &'static str> {
        let whole = if self.send_calls.is_empty() { None } else { Some(self.send_calls.remove(0)) };
        if let Some(code) = whole.filter(|code| *code != LOST) {
            return Err(code);
        }
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in request["Entries"].as_array().unwrap() {
            match self.sends_fail.get_mut(entry["MessageBody"].as_str().unwrap()) {
                Some((times, code, sender)) if *times > 0 => {
                    *times -= 1;
                    failed.push(json!({"Id": entry["Id"], "Code": code, "SenderFault": sender, "Message": "so it is"}));
                }
                _ => {
                    let id = self.sent_id.map_or_else(|| format!("new-{}", self.sent.len()), str::to_owned);
                    let body = entry["MessageBody"].as_str().unwrap();
                    let taken = if self.alters == Some(body) { "another" } else { body };
                    let md5 = digest::of_body(taken);
                    successful.push(json!({"Id": entry["Id"], "MessageId": id, "MD5OfMessageBody": md5}));
                    self.sent.push(entry.clone());
                }
            }
        }
        if whole.is_some() { Err(LOST) } else { Ok(json!({"Successful": successful, "Failed": failed})) }
    }

    fn attributes(&self) -> Value {
        let mut visible = self.visible().len();
        if self.counts_until_extended && self.extended < self.messages.len() {
            visible = visible.max(1);
        }
        let hidden = if self.counts_nothing { 0 } else { self.left() - self.visible().len() };
        if self.counts_nothing {
            visible = 0;
        }
        let mut attributes = json!({"ApproximateNumberOfMessages": visible.to_string(),
            "ApproximateNumberOfMessagesNotVisible": hidden.to_string()});
        for (name, value) in &self.attributes {
            attributes[name] = json!(value);
        }
        json!({ "Attributes": attributes })
    }

    fn answer(&mut self, operation: &str, request: &Value) -> Result<Value, &'static str> {
        match operation {
            "AmazonSQS.ReceiveMessage" => self.receive(request),
            "AmazonSQS.ChangeMessageVisibilityBatch" => Ok(self.change_visibility(request)),
            // A queue is purged once in a minute.
            "AmazonSQS.PurgeQueue" if self.purged => Err("PurgeQueueInProgress"),
            "AmazonSQS.PurgeQueue" => {
                self.purged = true;
                self.messages.values_mut().for_each(|message| message.deleted = true);
                Ok(json!({}))
            }
            "AmazonSQS.SendMessageBatch" => self.send_batch(request),
            "AmazonSQS.DeleteMessageBatch" => self.delete(request),
            "AmazonSQS.GetQueueAttributes" => Ok(self.attributes()),
            // No other queue can be seen from here.
            "AmazonSQS.GetQueueUrl" => Err("QueueDoesNotExist"),
            other => panic!("{other} is not expected"),
        }
    }
}

fn seconds(value: &Value) -> Duration {
    Duration::from_secs(value.as_u64().unwrap())
}

impl HttpConnector for Fake {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let operation = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
        if !operation.starts_with("AmazonSQS.") {
            // No other service is here.
            return HttpConnectorFuture::new(async {
                Ok(HttpResponse::new(400u16.try_into().unwrap(), SdkBody::empty()))
            });
        }
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let delay = self.change(|state| state.delay(&operation));
        let fake = self.clone();
        HttpConnectorFuture::new(async move {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            let answer = fake.change(|state| state.answer(&operation, &body));
            let (status, answer) = match answer {
                Ok(answer) => (200u16, answer),
                Err(LOST) => return Err(ConnectorError::io("the connection was cut".into())),
                Err(code) => (400, json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": "so it is"})),
            };
            if answer["Messages"].as_array().is_some_and(Vec::is_empty) {
                // A poll that waits in vain, though shorter than a real one.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(answer.to_string())))
        })
    }
}
