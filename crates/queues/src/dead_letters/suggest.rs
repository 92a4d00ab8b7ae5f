//! The command that does what a group of dead letters needs next.

use claimctl_core::next::Next;

use super::inspect::Group;
use super::shape::{ERROR_CODES, Shape};
use super::verdict::Verdict;
use crate::recipients::{RULE, TARGET};

/// The command for one group among all. It selects by what sets the group apart from the other groups that the command
/// would do something with. Groups that differ in nothing but size, receives and verdict share what is selected.
///
/// Those of a FIFO queue are drained, all of them, and replayed from the file.
pub fn command(queue: &str, is_fifo: bool, group: &Group, all: &[Group]) -> Next {
    if is_fifo && group.shape.verdict != Some(Verdict::Undetermined) {
        return Next::verb("queue drain").word(queue).flag("--to", "dead-letters.jsonl");
    }
    let acts_on = acts_on(group.shape.verdict);
    let is_touched = |other: &&Shape| other.verdict.is_none_or(|verdict| acts_on.contains(&verdict));
    let others: Vec<&Shape> = all.iter().map(|other| &other.shape).filter(is_touched).collect();
    let conditions = conditions(&group.shape, &others);
    let selected = |next: Next, conditions: &[String]| match conditions {
        [] => next,
        conditions => next.flag("--where", conditions.join(" and ")),
    };
    let replay = selected(Next::verb("dlq replay").word(queue), &conditions);
    match group.shape.verdict {
        None | Some(Verdict::Send) => replay,
        Some(Verdict::AlreadyRecorded) => replay.flag("--on-recorded", "delete"),
        Some(Verdict::PayloadGone | Verdict::PayloadChanged | Verdict::NoTarget | Verdict::Unreadable) => {
            replay.flag("--quarantine", "quarantine.jsonl")
        }
        Some(Verdict::Replayed) => replay.flag("--max-replays", group.most_replays.saturating_add(1)),
        Some(Verdict::Undetermined) => Next::verb("dlq inspect").word(queue).word("--print-policy"),
        Some(Verdict::NoClaim) => {
            let where_none = [".claims == [] and .event == null and .unreadable == null".to_owned()];
            selected(Next::verb("queue drain").word(queue), &where_none).flag("--to", "test-events.jsonl")
        }
    }
}

/// What the command for a verdict does something with: every replay also sends what may be sent.
fn acts_on(verdict: Option<Verdict>) -> &'static [Verdict] {
    use Verdict::{AlreadyRecorded, NoTarget, PayloadChanged, PayloadGone, Replayed, Send, Unreadable};
    match verdict {
        Some(AlreadyRecorded) => &[Send, AlreadyRecorded],
        Some(PayloadGone | PayloadChanged | NoTarget | Unreadable) => {
            &[Send, PayloadGone, PayloadChanged, NoTarget, Unreadable]
        }
        Some(Replayed) => &[Send, Replayed],
        _ => &[Send],
    }
}

/// jq conditions on what this shape has and not every other one shares.
fn conditions(shape: &Shape, others: &[&Shape]) -> Vec<String> {
    let differs = |part: fn(&Shape, &Shape) -> bool| others.iter().any(|other| part(shape, other));
    let mut conditions = Vec::new();
    if differs(|a, b| a.envelope != b.envelope) {
        let envelope = serde_json::to_string(&shape.envelope).unwrap_or_default();
        conditions.push(format!(".envelope == {envelope}"));
    }
    if differs(|a, b| a.holds_claims != b.holds_claims) {
        conditions.push(if shape.holds_claims { ".claims != []" } else { ".claims == []" }.to_owned());
    }
    if differs(|a, b| a.rule != b.rule) {
        conditions.push(match &shape.rule {
            Some(rule) => format!("(.attributes.{RULE}.value // \"\" | endswith({}))", literal(&format!("/{rule}"))),
            None => format!(".attributes.{RULE} == null"),
        });
    }
    let or_null = |text: &Option<String>| text.as_deref().map_or_else(|| "null".to_owned(), literal);
    if differs(|a, b| a.target != b.target) {
        conditions.push(format!(".attributes.{TARGET}.value == {}", or_null(&shape.target)));
    }
    if differs(|a, b| a.error_code != b.error_code) {
        let codes = ERROR_CODES.map(|name| format!(".attributes.{name}.value"));
        conditions.push(format!("({}) == {}", codes.join(" // "), or_null(&shape.error_code)));
    }
    if !shape.holds_claims && shape.unreadable.is_none() && differs(|a, b| a.event != b.event) {
        conditions.push(format!("(.event | .detail_type // .event_name // .condition) == {}", or_null(&shape.event)));
    }
    let of_claims = [
        (&shape.event, differs(|a, b| a.event != b.event), ".event_name == "),
        (&shape.bucket, differs(|a, b| a.bucket != b.bucket), ".bucket == "),
    ];
    let mut each: Vec<String> = of_claims
        .into_iter()
        .filter(|(_, differs, _)| *differs && shape.holds_claims)
        .filter_map(|(value, _, condition)| Some(format!("{condition}{}", literal(value.as_deref()?))))
        .collect();
    if differs(|a, b| a.prefix != b.prefix) {
        each.extend(shape.prefix.as_deref().map(|prefix| match prefix {
            "" => "(.key | contains(\"/\") | not)".to_owned(),
            folder => format!("(.key | startswith({}))", literal(folder)),
        }));
    }
    if !each.is_empty() {
        conditions.push(format!("all(.claims[]; {})", each.join(" and ")));
    }
    conditions
}

/// A jq string. JSON doubles every backslash, so that nothing in it is jq's interpolation.
fn literal(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dead_letters::failed::FailedInvocation;
    use crate::dead_letters::inspect::DeadLetter;
    use crate::expression::Expression;
    use crate::message::Message;
    use aws_sdk_sqs::types::{Message as Received, MessageAttributeValue};

    fn message(event: &str, key: &str) -> Message {
        let record = serde_json::json!({"eventName": event, "s3": {"bucket": {"name": "b"}, "object": {"key": key}}});
        let body = serde_json::json!({"Records": [record]}).to_string();
        Message::from(Received::builder().body(body).build())
    }

    fn group(message: &Message, verdict: Verdict) -> Group {
        let example = DeadLetter {
            message_id: "m".into(),
            verdict: Some(verdict),
            why: None,
            replays: 3,
            bucket: None,
            key: None,
            items: Vec::new(),
            recipient: None,
            failed: FailedInvocation::default(),
        };
        let shape = Shape { verdict: Some(verdict), ..Shape::of(message) };
        Group { messages: 1, shape, most_replays: 3, example }
    }

    fn command(group: &Group, all: &[Group]) -> String {
        super::command("dead", false, group, all).to_string()
    }

    #[test]
    fn each_verdict_has_what_it_needs_next() {
        for (verdict, expected) in [
            (Verdict::Send, "claimctl dlq replay dead"),
            (Verdict::AlreadyRecorded, "claimctl dlq replay dead --on-recorded delete"),
            (Verdict::PayloadGone, "claimctl dlq replay dead --quarantine quarantine.jsonl"),
            (Verdict::Replayed, "claimctl dlq replay dead --max-replays 4"),
            (Verdict::Undetermined, "claimctl dlq inspect dead --print-policy"),
        ] {
            let all = [group(&message("ObjectCreated:Put", "a/k"), verdict)];
            assert_eq!(command(&all[0], &all), expected);
        }
    }

    #[test]
    fn those_of_a_fifo_queue_are_drained() {
        let all = [group(&message("ObjectCreated:Put", "a/k"), Verdict::Send)];
        let next = super::command("dead", true, &all[0], &all).to_string();
        assert_eq!(next, "claimctl queue drain dead --to dead-letters.jsonl");
    }

    /// What a rule could not deliver.
    fn event(detail_type: &str, attributes: &[(&str, &str)]) -> Message {
        let text =
            |value: &str| MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap();
        let body = serde_json::json!({"source": "s", "detail-type": detail_type, "detail": {}}).to_string();
        let received = attributes.iter().fold(Received::builder().body(body), |received, (name, value)| {
            received.message_attributes(*name, text(value))
        });
        Message::from(received.build())
    }

    #[test]
    fn what_may_be_sent_is_not_sent_by_the_way() {
        let all = [
            group(&message("ObjectCreated:Put", "a/k"), Verdict::Send),
            group(&message("ObjectCreated:Put", "b/k"), Verdict::AlreadyRecorded),
        ];
        assert_eq!(command(&all[0], &all), "claimctl dlq replay dead");
        assert_eq!(
            command(&all[1], &all),
            "claimctl dlq replay dead --where 'all(.claims[]; (.key | startswith(\"b/\")))' \
             --on-recorded delete"
        );
    }

    #[test]
    fn a_selection_takes_its_own_group_and_no_other_of_its_verdict() {
        let keys = ["a/k", "it's/\\(1)/k", "plain", "\u{e9}\"/k"];
        let encoded = keys.map(claimctl_claim::key::encode_form);
        let mut messages = vec![Message::from(Received::builder().body("nonsense").build())];
        for event in ["ObjectCreated:Put", "ObjectCreated:Copy"] {
            messages.extend(encoded.iter().map(|key| message(event, key)));
        }
        let of_s3 = serde_json::json!({"source": "aws.s3", "detail-type": "Object Created",
            "detail": {"bucket": {"name": "b"}, "object": {"key": "a/k"}, "reason": "CopyObject"}});
        messages.push(Message::from(Received::builder().body(of_s3.to_string()).build()));
        let (one, other) = (("RULE_ARN", "arn:r:rule/b/one"), ("RULE_ARN", "arn:r:rule/b/other"));
        let (target, another) = (("TARGET_ARN", "arn:t"), ("TARGET_ARN", "arn:u"));
        for attributes in [
            &[][..],
            &[one, target],
            &[other, target],
            &[one, another],
            &[one, target, ("ERROR_CODE", "NO_PERMISSIONS")],
            &[target],
            &[("ErrorCode", "200")],
        ] {
            messages.extend(["Created", "Failed \\(1)"].map(|detail_type| event(detail_type, attributes)));
        }
        let groups: Vec<_> = messages.iter().map(|message| group(message, Verdict::Send)).collect();
        for (index, one) in groups.iter().enumerate() {
            let others: Vec<_> = groups.iter().map(|group| &group.shape).collect();
            let expression = Expression::parse(&conditions(&one.shape, &others).join(" and ")).unwrap();
            let taken: Vec<_> =
                (0..messages.len()).filter(|other| expression.holds(&messages[*other]).unwrap()).collect();
            assert_eq!(taken, [index], "{expression:?}");
        }
        assert!(command(&groups[2], &groups).contains(r"startswith("), "{}", command(&groups[2], &groups));
    }
}
