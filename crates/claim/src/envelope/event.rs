//! Reads the innermost envelopes: what S3, EventBridge and the extended client say about one object.

use serde_json::Value;

use super::{Fault, Unreadable};
use crate::{Claim, key, sequencer};

/// One record of an S3 notification, of any 2.x version.
pub(super) fn read_s3(record: &Value) -> Result<Claim, Unreadable> {
    let version = record["eventVersion"].as_str();
    if version.is_some_and(|version| version.split('.').next() != Some("2")) {
        return Err(Unreadable::field("event version", Fault::Version));
    }
    let (bucket, object) = (&record["s3"]["bucket"], &record["s3"]["object"]);
    let encoded = required(object, "key", "object key")?;
    Ok(Claim {
        bucket: required(bucket, "name", "bucket name")?.into(),
        key: key::decode_form(encoded).map_err(|bad| Unreadable::field("object key", Fault::Key(bad)))?,
        version_id: optional(&object["versionId"]),
        etag: unquoted(&object["eTag"]),
        size: object["size"].as_u64(),
        sequencer: read_sequencer(object)?,
        // Some S3-compatible stores send the prefix that S3 uses in configurations only.
        event_name: record["eventName"].as_str().map(|name| name.strip_prefix("s3:").unwrap_or(name).into()),
        event_time: optional(&record["eventTime"]),
    })
}

/// An EventBridge event of S3. Its key is verbatim, unlike the one of a notification.
pub(super) fn read_eventbridge(event: &Value) -> Result<Claim, Unreadable> {
    if event["source"].as_str() != Some("aws.s3") {
        return Err(Unreadable::OtherEvent);
    }
    let detail = &event["detail"];
    let event_name = match event["detail-type"].as_str() {
        Some("Object Created") => created_name(detail),
        Some("Object Deleted") => deleted_name(detail),
        Some(other) => of_object(other).ok_or(Unreadable::OtherEvent)?.to_owned(),
        None => return Err(Unreadable::OtherEvent),
    };
    let object = &detail["object"];
    Ok(Claim {
        bucket: required(&detail["bucket"], "name", "bucket name")?.into(),
        key: required(object, "key", "object key")?.into(),
        version_id: optional(&object["version-id"]),
        etag: unquoted(&object["etag"]),
        size: object["size"].as_u64(),
        sequencer: read_sequencer(object)?,
        event_name: Some(event_name),
        event_time: optional(&event["time"]),
    })
}

/// What happens to an object that stays, as S3 notifications name it: no reason for a message to die (Amazon S3 User
/// Guide, "Amazon S3 event types and their EventBridge detail types").
fn of_object(detail_type: &str) -> Option<&'static str> {
    Some(match detail_type {
        "Object Restore Initiated" => "ObjectRestore:Post",
        "Object Restore Completed" => "ObjectRestore:Completed",
        "Object Restore Expired" => "ObjectRestore:Delete",
        "Object Storage Class Changed" => "LifecycleTransition",
        "Object Access Tier Changed" => "IntelligentTiering",
        "Object ACL Updated" => "ObjectAcl:Put",
        "Object Tags Added" => "ObjectTagging:Put",
        "Object Tags Deleted" => "ObjectTagging:Delete",
        _ => return None,
    })
}

/// The place in an extended-client pointer, by the names that the client gives bucket and key.
pub(super) fn read_pointer(place: &Value, [bucket, key]: [&str; 2]) -> Result<Claim, Unreadable> {
    let bucket = required(place, bucket, "bucket name")?;
    Ok(Claim::pointer(bucket, required(place, key, "object key")?))
}

/// EventBridge names the API call; a record names the event as S3 notifications do, whatever path it came by.
fn created_name(detail: &Value) -> String {
    let method = match detail["reason"].as_str() {
        Some("PutObject") => "Put",
        Some("POST Object") => "Post",
        Some("CopyObject") => "Copy",
        Some(other) => other,
        None => "*",
    };
    format!("ObjectCreated:{method}")
}

fn deleted_name(detail: &Value) -> String {
    let kind = match detail["reason"].as_str() {
        Some("Lifecycle Expiration") => "LifecycleExpiration",
        _ => "ObjectRemoved",
    };
    let what = match detail["deletion-type"].as_str() {
        Some("Delete Marker Created") => "DeleteMarkerCreated",
        _ => "Delete",
    };
    format!("{kind}:{what}")
}

fn read_sequencer(object: &Value) -> Result<Option<String>, Unreadable> {
    let Some(text) = object["sequencer"].as_str() else { return Ok(None) };
    match sequencer::normalize(text) {
        Some(normalized) => Ok(Some(normalized)),
        None => Err(Unreadable::field("sequencer", Fault::NotHexadecimal)),
    }
}

fn required<'a>(parent: &'a Value, field: &str, name: &'static str) -> Result<&'a str, Unreadable> {
    let fault = match parent.get(field) {
        Some(Value::String(text)) if !text.is_empty() => return Ok(text),
        Some(Value::String(_)) => Fault::Empty,
        Some(Value::Null) => Fault::Null,
        Some(_) => Fault::NotText,
        None => Fault::Missing,
    };
    Err(Unreadable::field(name, fault))
}

fn optional(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(Into::into)
}

fn unquoted(value: &Value) -> Option<String> {
    optional(value).map(|etag| etag.trim_matches('"').into())
}
