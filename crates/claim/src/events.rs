//! Which of S3's events a flow takes, and what an object tells of the event that announced it.

/// The creations of an object in one piece (Amazon S3 User Guide, "Supported event types for SQS, SNS, and Lambda").
const IN_ONE_PIECE: [&str; 3] = ["ObjectCreated:Put", "ObjectCreated:Post", "ObjectCreated:Copy"];
const IN_PARTS: &str = "ObjectCreated:CompleteMultipartUpload";

/// Whether the event that announced an object is one that a flow takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announced {
    Yes,
    /// The object may have come by an event that is taken, or by one that is not.
    Perhaps,
    No,
}

/// What a flow's events take of an object with this ETag. No events: unknown, and so all.
pub fn announced(events: &[String], etag: &str) -> Announced {
    if events.is_empty() {
        return Announced::Yes;
    }
    let taken = |event: &&&str| events.iter().any(|pattern| takes(pattern, event));
    let possible: &[&str] = if is_of_parts(etag) { &[IN_PARTS] } else { &IN_ONE_PIECE };
    match possible.iter().filter(taken).count() {
        0 => Announced::No,
        some if some == possible.len() => Announced::Yes,
        _ => Announced::Perhaps,
    }
}

/// The event by which an object with this ETag was made, most likely.
pub fn likely(etag: &str) -> &'static str {
    if is_of_parts(etag) { IN_PARTS } else { IN_ONE_PIECE[0] }
}

/// Whether two flows divide what a bucket sends: no creation of an object is taken by both.
pub fn divide(one: &[String], other: &[String]) -> bool {
    let takes =
        |events: &[String], event: &str| events.is_empty() || events.iter().any(|pattern| takes(pattern, event));
    !IN_ONE_PIECE.iter().chain([&IN_PARTS]).any(|event| takes(one, event) && takes(other, event))
}

/// Whether an object was uploaded in parts: its ETag ends in their number (Amazon S3 User Guide, "Checking object
/// integrity"). S3 dates such an object by when its upload began.
pub fn is_of_parts(etag: &str) -> bool {
    etag.rsplit_once('-').is_some_and(|(_, parts)| !parts.is_empty() && parts.bytes().all(|c| c.is_ascii_digit()))
}

/// Whether a pattern of a notification, such as `s3:ObjectCreated:*`, takes an event.
pub fn takes(pattern: &str, event: &str) -> bool {
    let pattern = pattern.strip_prefix("s3:").unwrap_or(pattern);
    match pattern.strip_suffix('*') {
        Some(beginning) => event.starts_with(beginning),
        // EventBridge has one name for all creations.
        None => pattern == event || pattern == "Object Created",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_tells_by_which_events_it_may_have_come() {
        use Announced::{No, Perhaps, Yes};
        for (events, in_one_piece, in_parts) in [
            (&[][..], Yes, Yes),
            (&["ObjectCreated:*"], Yes, Yes),
            (&["s3:ObjectCreated:*"], Yes, Yes),
            (&["Object Created"], Yes, Yes),
            (&["ObjectCreated:Put"], Perhaps, No),
            (&["s3:ObjectCreated:Put", "s3:ObjectCreated:CompleteMultipartUpload"], Perhaps, Yes),
            (&["ObjectCreated:Put", "ObjectCreated:Post", "ObjectCreated:Copy"], Yes, No),
            (&["ObjectCreated:CompleteMultipartUpload"], No, Yes),
            (&["ObjectRemoved:*"], No, No),
            (&["ObjectRemoved:*", "ObjectCreated:Copy"], Perhaps, No),
            (&["ObjectTagging:Put"], No, No),
        ] {
            let events: Vec<String> = events.iter().map(|event| (*event).to_owned()).collect();
            let of = |etag| announced(&events, etag);
            assert_eq!(of("0123456789abcdef0123456789abcdef"), in_one_piece, "{events:?}");
            assert_eq!(of("0123456789abcdef0123456789abcdef-2"), in_parts, "{events:?}");
        }
    }

    #[test]
    fn flows_divide_events_that_only_one_of_them_takes() {
        for (one, other, expected) in [
            (&["ObjectCreated:Put"][..], &["ObjectCreated:Copy"][..], true),
            (&["ObjectCreated:Put", "ObjectCreated:Post"], &["s3:ObjectCreated:Copy", "ObjectCreated:Post"], false),
            (&["ObjectCreated:*"], &["ObjectCreated:Copy"], false),
            (&["ObjectCreated:*"], &["ObjectCreated:*"], false),
            (&[], &["ObjectCreated:Copy"], false),
            (&["ObjectCreated:Put"], &["Object Created"], false),
            (&["ObjectCreated:*"], &["ObjectRemoved:*"], true),
        ] {
            let owned = |events: &[&str]| events.iter().map(|event| (*event).to_owned()).collect::<Vec<_>>();
            assert_eq!(divide(&owned(one), &owned(other)), expected, "{one:?} {other:?}");
            assert_eq!(divide(&owned(other), &owned(one)), expected, "{other:?} {one:?}");
        }
    }

    #[test]
    fn an_etag_with_a_number_of_parts_is_one_of_parts() {
        for (etag, parts) in [("ab-1", true), ("ab-10000", true), ("ab", false), ("ab-", false), ("ab-cd", false)] {
            assert_eq!(is_of_parts(etag), parts, "{etag}");
        }
    }
}
