use super::*;

fn ended(exit: Exit, text: &str) -> Result<(Exit, impl FnOnce() -> String), &'static Error> {
    Ok((exit, move || text.to_owned()))
}

fn start(what: &str) -> ChangeStart {
    ChangeStart {
        origin: ChangeOrigin { environment: Some("dev".to_owned()), ..ChangeOrigin::default() },
        what: what.to_owned(),
    }
}

fn change_log() -> (tempfile::TempDir, ChangeLog) {
    let state = tempfile::tempdir().unwrap();
    let log = ChangeLog::at(state.path(), vec!["queue".to_owned(), "move".to_owned()]);
    (state, log)
}

#[test]
fn a_change_is_logged_with_who_what_and_how_it_ended() {
    let (_state, log) = change_log();
    let caller = Some("arn:aws:sts::111111111111:assumed-role/ops/me".to_owned());
    let origin = ChangeOrigin { caller: caller.clone(), ..ChangeOrigin::default() };
    log.begin(ChangeStart { origin, ..start("move 3 messages") }).unwrap();
    log.end(ended(Exit::Done, "3 messages moved; nothing is left"), None).unwrap();
    let history = log.history().unwrap();
    let [change] = &history.changes[..] else { panic!("{history:?}") };
    assert_eq!((change.start.origin.caller.clone(), change.start.what.as_str()), (caller, "move 3 messages"));
    assert_eq!(change.arguments, ["queue", "move"]);
    let ended = change.ended.as_ref().unwrap();
    assert_eq!((ended.exit, ended.summary.as_str()), (0, "3 messages moved; nothing is left"));
    assert!(change.ended_at.unwrap() >= change.began_at);
}

#[test]
fn a_change_that_was_killed_has_no_end() {
    let (state, log) = change_log();
    log.begin(start("first")).unwrap();
    let next = ChangeLog::at(state.path(), Vec::new());
    next.begin(start("second")).unwrap();
    next.end(Err::<(Exit, fn() -> String), _>(&Error::refused("a lock is held")), None).unwrap();
    let history = next.history().unwrap();
    assert!(history.changes[0].ended.is_none());
    let ended = history.changes[1].ended.as_ref().unwrap();
    assert_eq!((ended.exit, ended.summary.as_str()), (4, "a lock is held"));
}

#[test]
fn a_command_that_changed_nothing_leaves_no_line() {
    let (state, log) = change_log();
    log.end(ended(Exit::Done, "0 messages moved"), None).unwrap();
    assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 0);
}

#[test]
fn an_interrupt_is_the_result_whatever_was_reported() {
    let (_state, log) = change_log();
    log.begin(start("move")).unwrap();
    log.end(ended(Exit::Done, "1 messages moved"), Some(Exit::Interrupted)).unwrap();
    assert_eq!(log.history().unwrap().changes[0].ended.as_ref().unwrap().exit, 130);
}

#[test]
fn a_line_that_cannot_be_read_is_counted_and_hides_no_other() {
    let (state, log) = change_log();
    log.begin(start("one")).unwrap();
    let path = state.path().join("changes.jsonl");
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str("{\"v\":1,\"id\":\"x\",\"at\":\"20");
    std::fs::write(&path, text).unwrap();
    log.begin(start("two")).unwrap();
    let history = log.history().unwrap();
    assert_eq!((history.changes.len(), history.unreadable), (2, 1));
}

#[test]
fn a_change_that_cannot_be_logged_does_not_begin() {
    let (state, _) = change_log();
    let blocked = state.path().join("file");
    std::fs::write(&blocked, "").unwrap();
    let error = ChangeLog::at(&blocked, Vec::new()).begin(start("move")).unwrap_err();
    assert!(error.to_string().contains("nothing was done"), "{error}");
    assert!(!error.hints().is_empty());
}

#[test]
fn a_thousand_arguments_are_shortened() {
    let shown = shortened((0..1000).map(|n| n.to_string()).collect());
    assert_eq!(shown.len(), MOST_ARGUMENTS + 1);
    assert_eq!(shown.last().unwrap(), "… and 950 more");
}

#[test]
fn a_command_can_be_typed_again_and_holds_no_credential() {
    let arguments = ["queue", "drain", "--where", "it's > 1", "", "--session-token", "x"].map(str::to_owned);
    let log = ChangeLog::at(Path::new("/"), arguments.into());
    assert_eq!(log.command(), r"claimctl queue drain --where 'it'\''s > 1' '' --session-token '[hidden]'");
}
