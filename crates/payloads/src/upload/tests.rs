//! Against a store inside the test's own process: one that knows no checksums, and one whose answers get lost.

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use claimctl_aws::target::{Intent, KnownSurfaces, LOCAL, ReadSurfaces, Target};
use claimctl_aws::{CredentialSource, SdkSettings, sdk_config};
use claimctl_core::cancel::Cancel;
use claimctl_core::context::{Context, Variables};
use claimctl_core::error::Result;
use claimctl_core::progress::Silent;

use super::checksum::{Algorithm, Checksum};
use super::destination::Destination;
use super::engine::{Settings, Watched, send};
use super::existing::Existing;
use super::headers::Headers;
use super::plan::{Input, Naming, Planner, SourceObject};
use super::report::{FileReport, Status};

#[derive(Debug, Clone, Default)]
struct Store(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What a request with a checksum is answered with.
    refuses: Option<(u16, &'static str)>,
    /// The operation whose first answer is lost, after it was done.
    loses: Option<&'static str>,
    /// Where every answer to it is lost.
    loses_all: bool,
    /// Somebody else's content of the same length is there by the time that an upload is completed.
    replaces: bool,
    refuses_parts: bool,
    /// What the store says of the checksum that it keeps, whatever came.
    tells: Option<&'static str>,
    /// Somebody completes or gives up the upload before this one can: so many times.
    takes_away: usize,
    /// Under the key lies an object by the time that one is made.
    appears: Option<Vec<u8>>,
    objects: HashMap<String, Vec<u8>>,
    parts: Option<BTreeMap<u32, Vec<u8>>>,
    /// Operations, in order; with a `+` those that had a checksum.
    calls: Vec<String>,
    /// Of these headers, what a multipart upload was begun with.
    begun: BTreeMap<&'static str, String>,
    /// What is copied was replaced since it was looked at.
    replaced: bool,
    unsigned: usize,
}

/// Amazon S3 API Reference, by method and query.
fn operation(method: &str, query: &str) -> &'static str {
    match (method, query.contains("uploadId="), query.contains("uploads")) {
        ("GET", false, true) => "uploads",
        ("GET", true, _) => "parts",
        ("PUT", false, _) => "put",
        ("PUT", true, _) => "part",
        ("POST", false, true) => "begin",
        ("POST", true, _) => "complete",
        ("DELETE", ..) => "abort",
        ("HEAD", ..) => "head",
        ("GET", ..) if query.contains("tagging") => "tags",
        other => panic!("{other:?}"),
    }
}

type Answer = (u16, String, Vec<(&'static str, String)>);

impl State {
    fn answer(&mut self, request: &HttpRequest) -> Option<Answer> {
        let (path, query) = request.uri().split_once('?').unwrap_or((request.uri(), ""));
        let key = path.rsplit('/').next().unwrap_or_default().to_owned();
        let body = request.body().bytes().unwrap_or_default();
        let operation = operation(request.method(), query);
        let has_checksum = request
            .headers()
            .iter()
            .any(|(name, _)| name.starts_with("x-amz-") && name.contains("checksum") && name != "x-amz-checksum-mode");
        let checked = has_checksum && operation != "head";
        self.calls.push(format!("{operation}{}", if checked { "+" } else { "" }));
        if !body.is_empty() {
            let signed = request.headers().get("x-amz-content-sha256").is_some_and(|digest| digest.len() == 64);
            self.unsigned += usize::from(!signed);
        }
        if let Some((status, body)) = self.refuses.filter(|_| checked) {
            return Some((status, body.to_owned(), Vec::new()));
        }
        let etag = || ("etag", "\"e\"".to_owned());
        let gone = || (404, "<Error><Code>NoSuchUpload</Code><Message>gone</Message></Error>".to_owned(), Vec::new());
        let answer = match operation {
            "put" | "part" if self.replaced => {
                (412, "<Error><Code>PreconditionFailed</Code></Error>".to_owned(), Vec::new())
            }
            "put" | "complete" if self.appears.is_some() && request.headers().get("if-none-match").is_some() => {
                self.objects.insert(key, self.appears.clone().unwrap_or_default());
                (412, "<Error><Code>PreconditionFailed</Code></Error>".to_owned(), Vec::new())
            }
            "put" => {
                self.objects.insert(key, body.to_vec());
                let told = self.tells.map(|told| ("x-amz-checksum-crc32", told.to_owned()));
                (200, String::new(), told.into_iter().chain([etag()]).collect())
            }
            "uploads" => {
                let upload = self.parts.as_ref().map(|_| "<Upload><Key>k</Key><UploadId>u</UploadId></Upload>");
                let upload = upload.unwrap_or_default();
                (200, format!("<ListMultipartUploadsResult>{upload}</ListMultipartUploadsResult>"), Vec::new())
            }
            "parts" => {
                let of = |(number, content): (&u32, &Vec<u8>)| {
                    let checksum = Checksum::of(Algorithm::Crc32, content).value().text;
                    let size = content.len();
                    format!(
                        "<Part><PartNumber>{number}</PartNumber><ETag>\"e\"</ETag><Size>{size}</Size>\
                         <ChecksumCRC32>{checksum}</ChecksumCRC32></Part>"
                    )
                };
                let parts: String = self.parts.iter().flatten().map(of).collect();
                (200, format!("<ListPartsResult>{parts}</ListPartsResult>"), Vec::new())
            }
            "tags" => {
                let body = "<Tagging><TagSet><Tag><Key>a b</Key><Value>1&amp;2</Value></Tag></TagSet></Tagging>";
                (200, body.to_owned(), Vec::new())
            }
            "head" if self.replaced => (412, String::new(), Vec::new()),
            "head" if request.headers().get("if-match") == Some("source") => {
                let headers = [
                    ("content-type", "text/csv"),
                    ("x-amz-meta-owner", "ops"),
                    ("x-amz-checksum-crc64nvme", "c"),
                    ("x-amz-checksum-type", "FULL_OBJECT"),
                ];
                (200, String::new(), headers.map(|(name, value)| (name, value.to_owned())).to_vec())
            }
            "begin" => {
                for name in [
                    "content-type",
                    "x-amz-meta-owner",
                    "x-amz-tagging",
                    "x-amz-checksum-algorithm",
                    "x-amz-checksum-type",
                ] {
                    self.begun.extend(request.headers().get(name).map(|value| (name, value.to_owned())));
                }
                self.parts = Some(BTreeMap::new());
                let kind = has_checksum.then(|| ("x-amz-checksum-type", "FULL_OBJECT".to_owned()));
                let body = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
                (200, body.to_owned(), kind.into_iter().collect())
            }
            "part" if self.refuses_parts => (403, String::new(), Vec::new()),
            "part" => {
                let number = query.split('&').find_map(|pair| pair.strip_prefix("partNumber=")?.parse().ok());
                self.parts.as_mut()?.insert(number?, body.to_vec());
                (200, String::new(), vec![etag()])
            }
            "complete" if self.takes_away > 0 => {
                self.takes_away -= 1;
                self.parts = None;
                gone()
            }
            "complete" => match self.parts.take() {
                Some(parts) => {
                    let mut content: Vec<u8> = parts.into_values().flatten().collect();
                    if self.replaces {
                        content.fill(0);
                    }
                    self.objects.insert(key, content);
                    let body = "<CompleteMultipartUploadResult><ETag>\"e-3\"</ETag></CompleteMultipartUploadResult>";
                    (200, body.to_owned(), Vec::new())
                }
                None => gone(),
            },
            "abort" => match self.parts.take() {
                Some(_) => (204, String::new(), Vec::new()),
                None => gone(),
            },
            "head" => match self.objects.get(&key) {
                Some(content) => {
                    let checksum = ("x-amz-checksum-crc32", crc32(content));
                    (200, String::new(), vec![etag(), checksum, ("content-length", content.len().to_string())])
                }
                None => (404, String::new(), Vec::new()),
            },
            other => panic!("{other}"),
        };
        if self.loses == Some(operation) {
            self.loses = self.loses.filter(|_| self.loses_all);
            return None;
        }
        Some(answer)
    }
}

impl HttpConnector for Store {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.0.lock().unwrap().answer(&request);
        let Some((status, body, headers)) = answer else {
            return HttpConnectorFuture::ready(Err(ConnectorError::io("the connection was cut".into())));
        };
        let status = aws_smithy_runtime_api::http::StatusCode::try_from(status).unwrap();
        let mut response = HttpResponse::new(status, SdkBody::from(body));
        for (name, value) in headers {
            response.headers_mut().insert(name, value);
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}

struct NoSurfaces;

impl ReadSurfaces for NoSurfaces {
    fn read<'a>(&'a self, _: &'a Target) -> Pin<Box<dyn Future<Output = Result<KnownSurfaces>> + Send + 'a>> {
        Box::pin(async { Ok(KnownSurfaces::default()) })
    }
}

fn crc32(content: &[u8]) -> String {
    Checksum::of(Algorithm::Crc32, content).value().text
}

const SHORT: &[u8] = b"short";
const PART: u64 = 5 << 20;

/// Three parts.
fn long() -> Vec<u8> {
    (0..2 * PART + 7).map(|byte| (byte % 251) as u8).collect()
}

/// Uploads one file as `k`, by a client that is configured so.
async fn upload(store: &Store, content: &[u8], calculation: Option<RequestChecksumCalculation>) -> FileReport {
    upload_as(store, content, Existing::Overwrite, calculation).await
}

async fn upload_as(
    store: &Store,
    content: &[u8],
    existing: Existing,
    calculation: Option<RequestChecksumCalculation>,
) -> FileReport {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("k");
    std::fs::write(&path, content).unwrap();
    let settings = Settings { concurrency: Some(1), part_size: PART, existing, ..Settings::default() };
    send_one(store, Input::File(path), content.len() as u64, &settings, calculation).await
}

async fn send_one(
    store: &Store,
    input: Input,
    size: u64,
    to_send: &Settings,
    calculation: Option<RequestChecksumCalculation>,
) -> FileReport {
    let folder = tempfile::tempdir().unwrap();
    let settings = SdkSettings {
        region: Some("us-east-1".to_owned()),
        endpoint: Some("http://store.example".to_owned()),
        credentials: CredentialSource::Dummy { access_key: "a".to_owned() },
    };
    let connector = SharedHttpConnector::new(store.clone());
    let mut sdk = sdk_config(&settings).await.into_builder();
    sdk.set_request_checksum_calculation(calculation);
    let again_at_once = RetryConfig::standard().with_max_attempts(2).with_initial_backoff(Duration::from_millis(1));
    sdk.set_retry_config(Some(again_at_once));
    let sdk = sdk.http_client(http_client_fn(move |_, _| connector.clone())).build();
    let target = Target::new("p", sdk, Box::new(NoSurfaces), Arc::new(Silent)).unwrap();
    let target = target.in_environment(LOCAL, None, false);
    let variables = Variables::from_iter([("CLAIMCTL_HOME", folder.path())]);
    let ctx = Context::new(variables, Vec::new(), Arc::new(Silent), Cancel::default()).unwrap();
    let intent = Intent { what: "upload".to_owned(), destroys: false };
    let change = target.guard().await.unwrap().begin(&ctx, &intent).await.unwrap();

    let naming = Naming::Key("k".to_owned());
    let mut planner = Planner::new(&naming);
    planner.add(input, "k", size, None).unwrap();
    let to = Destination::real(&target, "b").await.unwrap();
    let watched = Watched { cancel: &Cancel::default(), progress: &Silent };
    let report = send(&target, &to, planner.plan().unwrap(), to_send, None, &change, watched).await.unwrap();
    report.files.head(1).unwrap().pop().unwrap()
}

fn store(set: impl FnOnce(&mut State)) -> Store {
    let store = Store::default();
    set(&mut store.0.lock().unwrap());
    store
}

fn calls(store: &Store) -> Vec<String> {
    store.0.lock().unwrap().calls.clone()
}

#[tokio::test]
async fn a_store_that_knows_no_checksums_takes_uploads_all_the_same() {
    for refusal in [
        (501, ""),
        (501, "<Error><Code>NotImplemented</Code><Message>A header you provided</Message></Error>"),
        (400, ""),
        (
            400,
            "<Error><Code>InvalidArgument</Code><Message>Unsupported header 'x-amz-checksum-crc32'</Message></Error>",
        ),
    ] {
        for (content, expected) in [
            (SHORT.to_vec(), vec!["put+", "put"]),
            (long(), vec!["uploads", "begin+", "begin", "part", "part", "part", "complete"]),
        ] {
            let store = store(|state| state.refuses = Some(refusal));
            let file = upload(&store, &content, None).await;
            assert_eq!(file.status, Status::Uploaded, "{refusal:?}: {:?}", file.error);
            assert_eq!(calls(&store), expected, "{refusal:?}");
            let state = store.0.lock().unwrap();
            assert!(state.objects["k"] == content);
            assert_eq!(state.unsigned, 0, "neither checksum nor signature vouches for the content");
        }
    }
}

#[tokio::test]
async fn a_checksum_that_does_not_match_is_not_left_out() {
    let refusal = "<Error><Code>BadDigest</Code><Message>The CRC32 checksum did not match</Message></Error>";
    let store = store(|state| state.refuses = Some((400, refusal)));
    assert_eq!(upload(&store, SHORT, None).await.status, Status::Failed);
    assert_eq!(calls(&store), ["put+"]);
}

#[tokio::test]
async fn checksums_go_where_they_are_wished_for() {
    for (calculation, short, first) in [
        (None, "put+", "begin+"),
        (Some(RequestChecksumCalculation::WhenSupported), "put+", "begin+"),
        (Some(RequestChecksumCalculation::WhenRequired), "put", "begin"),
    ] {
        let store = Store::default();
        assert_eq!(upload(&store, SHORT, calculation).await.status, Status::Uploaded);
        assert_eq!(calls(&store), [short], "{calculation:?}");
        assert_eq!(upload(&store, &long(), calculation).await.status, Status::Uploaded);
        let begun = calls(&store).into_iter().find(|call| call.starts_with("begin"));
        assert_eq!(begun.as_deref(), Some(first), "{calculation:?}");
        let with = calls(&store).iter().filter(|call| call.ends_with('+')).count();
        assert_eq!(with > 0, short.ends_with('+'), "{:?}", calls(&store));
    }
}

#[tokio::test]
async fn what_was_made_is_told_as_made_though_the_answer_was_lost() {
    // The client asks once more. Of a completed upload it hears that there is none; without an answer it stays in doubt.
    for (content, loses, again) in [(long(), "complete", &["complete+"][..]), (SHORT.to_vec(), "put", &[])] {
        let store = store(|state| (state.loses, state.loses_all) = (Some(loses), again.is_empty()));
        let file = upload(&store, &content, None).await;
        assert_eq!(file.status, Status::Uploaded, "{loses}: {:?}", file.error);
        assert_eq!(file.checksum, Some(crc32(&content)));
        let calls = calls(&store);
        assert!(calls.ends_with(&["head".to_owned()]) && !calls.contains(&"abort".to_owned()), "{calls:?}");
        assert!(again.is_empty() || calls[5..7] == ["complete+", "complete+"], "{calls:?}");
    }
}

#[tokio::test]
async fn what_lies_there_and_is_another_is_not_told_as_made() {
    // The answer is lost, and what the client hears of a second try is that there is no such upload: it begins again.
    let store = store(|state| (state.loses, state.replaces) = (Some("complete"), true));
    let file = upload(&store, &long(), None).await;
    assert_eq!(file.status, Status::Uploaded);
    let calls = calls(&store);
    assert_eq!(calls[5..11], ["complete+", "complete+", "head", "abort", "uploads", "begin+"]);
}

#[tokio::test]
async fn an_upload_that_another_run_ends_is_begun_again() {
    let lost = store(|state| state.takes_away = 2);
    let file = upload(&lost, &long(), None).await;
    assert_eq!((file.status, file.kept_parts), (Status::Uploaded, Some(0)), "{:?}", file.error);
    assert!(lost.0.lock().unwrap().objects["k"] == long());
    let lost = store(|state| state.takes_away = 9);
    assert_eq!(upload(&lost, &long(), None).await.status, Status::Failed);
    assert_eq!(calls(&lost).iter().filter(|call| *call == "complete+").count(), 3);
}

#[tokio::test]
async fn parts_that_are_there_and_the_same_are_kept_and_others_sent() {
    let content = long();
    let parts = BTreeMap::from([
        (1, content[..PART as usize].to_vec()),
        // Of the same length, and with other bytes.
        (2, vec![0; PART as usize]),
    ]);
    let begun = store(|state| state.parts = Some(parts.clone()));
    let file = upload(&begun, &content, None).await;
    assert_eq!((file.status, file.parts, file.kept_parts), (Status::Uploaded, Some(3), Some(1)), "{:?}", file.error);
    assert_eq!(calls(&begun)[..2], ["uploads", "parts"].map(str::to_owned));
    assert_eq!(calls(&begun).iter().filter(|call| *call == "part+").count(), 2);

    for another in [(7, b"of a longer file".to_vec()), (2, vec![0; 6 << 20])] {
        let other = store(|state| state.parts = Some(parts.clone().into_iter().chain([another]).collect()));
        let file = upload(&other, &content, None).await;
        assert_eq!((file.status, file.kept_parts), (Status::Uploaded, Some(0)), "{:?}", file.error);
        assert_eq!(calls(&other)[..3], ["uploads", "parts", "begin+"].map(str::to_owned));
    }
}

#[tokio::test]
async fn a_first_part_that_fails_does_not_remove_those_that_an_earlier_run_sent() {
    let parts = BTreeMap::from([(2, long()[PART as usize..2 * PART as usize].to_vec())]);
    let store = store(|state| (state.parts, state.refuses_parts) = (Some(parts), true));
    assert_eq!(upload(&store, &long(), None).await.status, Status::Failed);
    assert!(!calls(&store).contains(&"abort".to_owned()) && store.0.lock().unwrap().parts.is_some());
}

#[tokio::test]
async fn what_the_store_keeps_is_held_against_what_was_sent() {
    let liar = store(|state| state.tells = Some("AAAAAA=="));
    let file = upload(&liar, SHORT, None).await;
    assert_eq!(file.status, Status::Failed);
    let why = file.error.unwrap();
    assert!(why.contains("k was sent with CRC32 ") && why.contains("keeps it with CRC32 AAAAAA=="), "{why}");
}

#[tokio::test]
async fn what_appears_meanwhile_stays_and_is_fine_if_it_is_the_same() {
    for content in [SHORT.to_vec(), long()] {
        let same = store(|state| state.appears = Some(content.clone()));
        assert_eq!(upload_as(&same, &content, Existing::Keep, None).await.status, Status::Unchanged);
        let another = store(|state| state.appears = Some(b"another".to_vec()));
        let file = upload_as(&another, &content, Existing::Keep, None).await;
        assert_eq!(file.status, Status::Failed);
        assert!(file.error.unwrap().contains("another object \"k\" is there, of 7 bytes"));
        let state = another.0.lock().unwrap();
        assert!(state.objects["k"] == b"another" && state.parts.is_none());
    }
}

#[tokio::test]
async fn an_upload_that_was_given_up_was_not_perhaps_completed() {
    // The part is refused, and the answer to giving up is lost.
    let store = store(|state| (state.refuses_parts, state.loses) = (true, Some("abort")));
    let file = upload(&store, &long(), None).await;
    assert_eq!(file.status, Status::Failed);
    assert_eq!(calls(&store).iter().filter(|call| *call == "abort").count(), 2);
    assert!(store.0.lock().unwrap().parts.is_none());
}

#[tokio::test]
async fn an_object_of_parts_carries_what_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("k");
    std::fs::write(&path, long()).unwrap();
    let store = store(|_| {});
    let headers = Headers {
        metadata: HashMap::from([("owner".to_owned(), "ops".to_owned())]),
        content_type: Some("text/csv".to_owned()),
        tags: vec![("a b".to_owned(), "1&2".to_owned())],
        ..Headers::default()
    };
    let settings = Settings { headers, part_size: PART, algorithm: Some(Algorithm::Crc64Nvme), ..Settings::default() };
    let file = send_one(&store, Input::File(path), long().len() as u64, &settings, None).await;
    assert_eq!(file.checksum_algorithm.as_deref(), Some("CRC64NVME"));
    let expected = [
        ("content-type", "text/csv"),
        ("x-amz-meta-owner", "ops"),
        ("x-amz-tagging", "a%20b=1%262"),
        ("x-amz-checksum-algorithm", "CRC64NVME"),
        ("x-amz-checksum-type", "FULL_OBJECT"),
    ];
    assert_eq!(store.0.lock().unwrap().begun, expected.map(|(name, value)| (name, value.to_owned())).into());
}

#[tokio::test]
async fn a_copy_in_parts_keeps_what_s3_keeps_by_itself_of_one_in_a_piece() {
    let store = store(|_| {});
    let from = SourceObject { bucket: "from".to_owned(), key: "a b".to_owned(), etag: "source".to_owned() };
    let settings = Settings { concurrency: Some(2), copy_part_size: PART, ..Settings::default() };
    let file = send_one(&store, Input::Object(from), 2 * PART + 7, &settings, None).await;
    assert_eq!((file.status, file.parts, file.path.as_str()), (Status::Uploaded, Some(3), "s3://from/a b"));
    assert_eq!(calls(&store)[1..], ["tags", "begin+", "part", "part", "part", "complete"].map(str::to_owned));
    let begun = store.0.lock().unwrap().begun.clone();
    let expected = [
        ("content-type", "text/csv"),
        ("x-amz-meta-owner", "ops"),
        ("x-amz-tagging", "a%20b=1%262"),
        ("x-amz-checksum-algorithm", "CRC64NVME"),
        ("x-amz-checksum-type", "FULL_OBJECT"),
    ];
    assert_eq!(begun, expected.map(|(name, value)| (name, value.to_owned())).into());
}

#[tokio::test]
async fn what_was_replaced_since_it_was_looked_at_is_not_copied() {
    for size in [1, 2 * PART] {
        let store = store(|state| state.replaced = true);
        let from = SourceObject { bucket: "from".to_owned(), key: "k".to_owned(), etag: "source".to_owned() };
        let settings = Settings { copy_part_size: PART, ..Settings::default() };
        let file = send_one(&store, Input::Object(from), size, &settings, None).await;
        assert_eq!(file.status, Status::Failed);
        assert!(file.error.unwrap().contains("was replaced after it was looked at"));
        assert!(store.0.lock().unwrap().objects.is_empty());
    }
}
