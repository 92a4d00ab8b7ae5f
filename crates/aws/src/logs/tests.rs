use std::sync::{Arc, Mutex};

use claimctl_core::error::Kind;
use serde_json::{Value, json};

use super::*;
use crate::fake;

/// A log group of a test's own making. Lines become visible when the test says so.
#[derive(Debug, Clone, Default)]
struct Fake(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    lines: Vec<(i64, String)>,
    /// Lines of a page.
    page: usize,
    /// Every other call is one too many.
    throttles: bool,
    /// The code that every call is refused with.
    refusal: Option<&'static str>,
    without_ids: bool,
    /// A page is all that there is, whatever else there is.
    cuts_off: bool,
    calls: usize,
    asked: Vec<Value>,
}

impl Fake {
    fn with(lines: impl IntoIterator<Item = (i64, &'static str)>) -> Fake {
        let fake = Fake::default();
        fake.change(|state| {
            state.lines = lines.into_iter().map(|(at, text)| (at, text.to_owned())).collect();
            state.page = 2;
        });
        fake
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    fn client(&self) -> Client {
        let fake = self.clone();
        Client::new(&fake::answers(move |_, asked| fake.change(|state| state.answer(asked.clone()))))
    }

    fn pages(&self) -> LogPages {
        LogPages::start(self.client(), LogQuery { group: "g".to_owned(), ..LogQuery::default() })
    }

    fn tail(&self) -> LogTail {
        LogTail::of(self.client(), LogQuery { group: "g".to_owned(), ..LogQuery::default() })
    }
}

impl State {
    fn answer(&mut self, asked: Value) -> (u16, Value) {
        self.calls += 1;
        if let Some(code) = self.refusal {
            return (400, json!({"__type": code}));
        }
        if self.throttles && !self.calls.is_multiple_of(2) {
            return (400, json!({"__type": "ThrottlingException", "message": "Rate exceeded"}));
        }
        let since = asked["startTime"].as_i64().unwrap_or(0);
        let mut found: Vec<_> = self.lines.iter().enumerate().filter(|(_, (at, _))| *at >= since).collect();
        found.sort_by_key(|(_, (at, _))| *at);
        let from: usize = asked["nextToken"].as_str().map_or(0, |token| token.parse().unwrap());
        let events = found.iter().skip(from).take(self.page).map(|(number, (at, text))| {
            let id = if self.without_ids { String::new() } else { number.to_string() };
            json!({"timestamp": at, "message": format!("{text}\n"), "eventId": id, "logStreamName": "s"})
        });
        let answer = json!({"events": events.collect::<Vec<_>>()});
        self.asked.push(asked);
        let next = from + self.page;
        match next < found.len() && !self.cuts_off {
            true => (200, json!({"events": answer["events"], "nextToken": next.to_string()})),
            false => (200, answer),
        }
    }
}

async fn all(pages: &mut LogPages) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    while let Some(page) = pages.next().await? {
        texts.extend(page.into_iter().map(|line| line.text));
    }
    Ok(texts)
}

/// What is new at one look.
async fn look(tail: &mut LogTail) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(lines) = tail.next().await.unwrap() {
        texts.extend(lines.into_iter().map(|line| line.text));
    }
    texts
}

#[tokio::test]
async fn every_page_is_read_although_calls_are_throttled() {
    let fake = Fake::with([(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, "e")]);
    fake.change(|state| state.throttles = true);
    let mut pages = fake.pages();
    assert_eq!(all(&mut pages).await.unwrap(), ["a", "b", "c", "d", "e"]);
    assert_eq!(pages.next().await.unwrap(), None);
    assert_eq!(fake.change(|state| state.calls), 6);
}

#[tokio::test]
async fn a_full_page_that_calls_itself_the_last_is_not_believed() {
    let fake = Fake::with([]);
    // Three of each moment, so that a page ends in the middle of one.
    let lines: Vec<_> = (0..PAGE as i64 + 5).map(|number| (number / 3, number.to_string())).collect();
    fake.change(|state| (state.lines, state.page, state.cuts_off) = (lines.clone(), PAGE, true));
    let texts: Vec<_> = lines.into_iter().map(|(_, text)| text).collect();
    assert_eq!(all(&mut fake.pages()).await.unwrap(), texts);

    fake.change(|state| state.lines = vec![(7, "x".to_owned()); PAGE]);
    let error = all(&mut fake.pages()).await.unwrap_err();
    assert!(error.to_string().contains("one millisecond"), "{error}");
}

#[tokio::test]
async fn a_group_that_throttles_for_ever_is_given_up() {
    let fake = Fake::with([]);
    fake.change(|state| state.refusal = Some("ThrottlingException"));
    assert_eq!(fake.pages().next().await.unwrap_err().kind(), Kind::Unreachable);
    let calls = fake.change(|state| state.calls);
    assert!(calls > 2, "{calls} calls");
}

#[tokio::test]
async fn a_group_that_is_not_there_is_named() {
    let fake = Fake::with([]);
    fake.change(|state| state.refusal = Some("ResourceNotFoundException"));
    let error = fake.pages().next().await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(error.to_string().contains("log group g"), "{error}");
}

#[tokio::test]
async fn what_comes_is_told_once_also_where_it_comes_late_or_at_the_same_time() {
    for without_ids in [false, true] {
        let fake = Fake::with([(100_000, "a"), (100_000, "b"), (200_000, "c")]);
        fake.change(|state| state.without_ids = without_ids);
        let mut tail = fake.tail();
        assert_eq!(look(&mut tail).await, ["a", "b", "c"]);
        assert!(look(&mut tail).await.is_empty());
        // At the same moment as one that was told, and before it.
        for (at, text) in [(200_000, "same moment"), (150_000, "late"), (200_001, "new")] {
            fake.change(|state| state.lines.push((at, text.to_owned())));
        }
        assert_eq!(look(&mut tail).await, ["late", "same moment", "new"]);
        assert!(look(&mut tail).await.is_empty());
        assert!(tail.told.len() <= 4, "what is not read again is not kept: {:?}", tail.told);
        let since = fake.change(|state| state.asked.last().unwrap()["startTime"].as_i64());
        assert_eq!(since, Some(200_001 - 60_000));
    }
}

#[tokio::test]
async fn a_look_that_is_dropped_half_way_loses_nothing() {
    let fake = Fake::with([(1, "a"), (2, "b"), (3, "c")]);
    let mut tail = fake.tail();
    drop(Box::pin(tail.next()));
    let first = tail.next().await.unwrap().unwrap();
    drop(Box::pin(tail.next()));
    assert_eq!((first.len(), look(&mut tail).await), (2, vec!["c".to_owned()]));
}

#[test]
fn a_text_is_looked_for_by_parts_that_any_server_understands() {
    let of = |texts: &[&str]| Grep::of(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
    for (texts, pattern) in [
        (&["ERROR"][..], "\"ERROR\""),
        (&["two words", "-x"], "\"two words\" \"-x\""),
        (&[r#""key":"a\b""#], r#""key" ":" "a" "b""#),
        (&[], ""),
    ] {
        assert_eq!(of(texts).unwrap().pattern(), pattern, "{texts:?}");
    }
    let line = |text: &str| LogLine {
        at: Timestamp::UNIX_EPOCH,
        stream: String::new(),
        id: String::new(),
        text: text.to_owned(),
    };
    let grep = of(&[r#""key":"a""#, "ERROR"]).unwrap();
    assert!(grep.takes(&line(r#"ERROR {"key":"a"}"#)));
    assert!(!grep.takes(&line(r#"ERROR {"key":"b","a":1}"#)), "the parts are there, the text is not");
    assert_eq!(of(&[" "]).unwrap_err().kind(), Kind::Usage);
    assert_eq!(of(&["x".repeat(1_023).as_str()]).unwrap_err().kind(), Kind::Usage);
}
