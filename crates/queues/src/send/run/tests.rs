//! A send from its input to its end.

use std::path::{Path, PathBuf};

use claimctl_core::error::Kind;

use super::*;
use crate::fake::{Fake, Here};

/// A file of three messages, and a queue to send them to.
struct Input {
    fake: Fake,
    here: Here,
    file: PathBuf,
    to: SendQueue,
}

impl Input {
    async fn new() -> Input {
        let (fake, here) = (Fake::default(), Here::new());
        let file = here.file("m.jsonl");
        let line = |id: u32| format!("{{\"message_id\":\"{id}\",\"body\":\"b{id}\"}}\n");
        std::fs::write(&file, (1..=3).map(line).collect::<String>()).unwrap();
        let to = SendQueue { queue: fake.queue(), depth: fake.depth().await };
        Input { fake, here, file, to }
    }

    async fn send(
        &self,
        options: &Options,
        consent: impl AsyncFnOnce(&Intent) -> Result<Change>,
    ) -> Result<SendReport> {
        self.send_file(&self.file, options, consent).await
    }

    async fn send_file(
        &self,
        file: &Path,
        options: &Options,
        consent: impl AsyncFnOnce(&Intent) -> Result<Change>,
    ) -> Result<SendReport> {
        let rules = Arc::new(Rules {
            queue_arn: self.to.depth.arn.clone(),
            fifo: false,
            most_bytes: self.to.most_bytes(),
            group: None,
            drop_groups: false,
            other_environment: false,
            selection: Arc::default(),
        });
        let source = Source::files(&[file.to_owned()])?;
        run(&self.here.ctx, &self.here.target, &self.to, rules, source, options, consent).await
    }

    fn sent(&self) -> usize {
        self.fake.change(|state| state.sent.len())
    }
}

#[tokio::test]
async fn a_file_is_sent_once_unless_it_is_to_be_sent_again() {
    let input = Input::new().await;
    let report = input.send(&Options::default(), input.here.agree()).await.unwrap();
    assert_eq!((report.sent, &report.run.next, report.run.id.is_some()), (3, &None, true));
    let refused = input.send(&Options::default(), input.here.agree()).await.unwrap_err();
    assert_eq!((refused.kind(), input.sent()), (Kind::Refused, 3));
    let again = Options { again: true, ..Options::default() };
    assert_eq!(input.send(&again, input.here.agree()).await.unwrap().sent, 3);
    assert_eq!(input.sent(), 6);
}

#[tokio::test]
async fn of_a_file_that_grew_or_moved_only_what_is_new_is_sent_and_the_question_says_how_much() {
    let input = Input::new().await;
    let first = input.send(&Options::default(), input.here.agree()).await.unwrap();
    for (id, moved) in [(4, false), (5, true)] {
        let line = format!("{{\"message_id\":\"{id}\",\"body\":\"b{id}\"}}\n");
        let text = std::fs::read_to_string(&input.file).unwrap() + &line;
        std::fs::write(&input.file, &text).unwrap();
        let file = if moved { input.here.file("moved.jsonl") } else { input.file.clone() };
        std::fs::write(&file, &text).unwrap();
        let consent = async |intent: &Intent| {
            assert_eq!(intent.what, "send 1 message to queue q");
            input.here.agree()(intent).await
        };
        let report = input.send_file(&file, &Options::default(), consent).await.unwrap();
        assert_eq!((report.sent, report.already_sent, &report.run.id), (1, id - 1, &first.run.id));
        let refused = input.send_file(&file, &Options::default(), input.here.agree()).await.unwrap_err();
        assert_eq!((refused.kind(), input.sent()), (Kind::Refused, id as usize));
    }
}

#[tokio::test]
async fn another_file_under_the_same_name_is_sent() {
    let input = Input::new().await;
    input.send(&Options::default(), input.here.agree()).await.unwrap();
    std::fs::write(&input.file, "{\"message_id\":\"9\",\"body\":\"b9\"}\n").unwrap();
    let report = input.send(&Options::default(), input.here.agree()).await.unwrap();
    assert_eq!((report.sent, report.already_sent, input.sent()), (1, 0, 4));
}

#[tokio::test]
async fn the_same_command_goes_on_behind_the_limit() {
    let input = Input::new().await;
    let options = Options { limit: Some(2), ..Options::default() };
    let first = input.send(&options, input.here.agree()).await.unwrap();
    assert_eq!((first.sent, first.left, &first.run.next), (2, Some(1), &Some(Next::again())));
    let second = input.send(&options, input.here.agree()).await.unwrap();
    assert_eq!((second.sent, second.already_sent, second.run.id, input.sent()), (1, 2, first.run.id, 3));
}

#[tokio::test]
async fn what_is_not_agreed_to_sends_nothing_and_leaves_no_run() {
    let input = Input::new().await;
    let refuse = async |intent: &Intent| {
        assert_eq!(intent.what, "send 3 messages to queue q");
        Err(Error::refused("no"))
    };
    let refused = input.send(&Options::default(), refuse).await.unwrap_err();
    assert_eq!((refused.kind(), input.sent()), (Kind::Refused, 0));
    let journal = Journal::open(&input.here.ctx.paths, &input.here.target.project).unwrap();
    assert!(journal.runs().unwrap().is_empty());
}
