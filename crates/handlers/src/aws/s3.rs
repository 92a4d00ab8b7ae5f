//! Looking at, tagging and deleting one S3 object.

use aws_smithy_types::base64;
use bytes::Bytes;
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::{Aws, Call, Deadline, Failure, Reply, Service};

/// An object as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// Without quotes.
    pub etag: Option<String>,
    pub size: Option<u64>,
    pub version_id: Option<String>,
}

/// What became of a conditional delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// The object is gone, by this request or before it.
    Gone,
    /// There is another object under the key by now; it was left alone.
    Replaced,
}

/// What became of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tagged {
    Done,
    /// There is no object to tag any more.
    Gone,
}

impl Aws {
    /// `HeadObject`: the current object, or `None`. Without `s3:ListBucket` a missing object is a 403 instead.
    pub async fn head_object(&self, bucket: &str, key: &str, deadline: Deadline) -> Result<Option<Object>, Failure> {
        let url = self.endpoints.object(bucket, key);
        match self.s3(Method::HEAD, url, vec![], Bytes::new(), deadline).await {
            Ok(Reply { headers, .. }) => {
                let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
                Ok(Some(Object {
                    etag: text("etag").map(|etag| etag.trim_matches('"').to_owned()),
                    size: text("content-length").and_then(|length| length.parse().ok()),
                    version_id: text("x-amz-version-id"),
                }))
            }
            Err(Failure::Refused(refusal)) if refusal.status == 404 => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// `DeleteObject`, only while the object still has this ETag. In a bucket with versions it leaves a delete marker.
    pub async fn delete_object(
        &self,
        bucket: &str,
        key: &str,
        etag: &str,
        deadline: Deadline,
    ) -> Result<Deleted, Failure> {
        let url = self.endpoints.object(bucket, key);
        let condition = vec![("if-match", format!("\"{etag}\""))];
        match self.s3(Method::DELETE, url, condition, Bytes::new(), deadline).await {
            Ok(_) => Ok(Deleted::Gone),
            Err(Failure::Refused(refusal)) if refusal.code == "NoSuchKey" => Ok(Deleted::Gone),
            Err(Failure::Refused(refusal)) if refusal.status == 412 => Ok(Deleted::Replaced),
            Err(failure) => Err(failure),
        }
    }

    /// Adds one tag to those that the object has. Name and value need no escaping in XML.
    pub async fn tag_object(
        &self,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
        tag: (&str, &str),
        deadline: Deadline,
    ) -> Result<Tagged, Failure> {
        let mut url = format!("{}?tagging", self.endpoints.object(bucket, key));
        if let Some(version_id) = version_id {
            url.push_str("&versionId=");
            url.extend(utf8_percent_encode(version_id, NON_ALPHANUMERIC));
        }
        let tags = match self.s3(Method::GET, url.clone(), vec![], Bytes::new(), deadline).await {
            Ok(reply) => with_tag(&String::from_utf8_lossy(&reply.body), tag),
            Err(failure) => return gone(failure),
        };
        let checksum = vec![
            ("content-type", "application/xml".to_owned()),
            ("x-amz-checksum-sha256", base64::encode(Sha256::digest(tags.as_bytes()))),
        ];
        match self.s3(Method::PUT, url, checksum, tags.into(), deadline).await {
            Ok(_) => Ok(Tagged::Done),
            Err(failure) => gone(failure),
        }
    }

    async fn s3(
        &self,
        method: Method,
        url: String,
        headers: Vec<(&'static str, String)>,
        body: Bytes,
        deadline: Deadline,
    ) -> Result<Reply, Failure> {
        self.send(&Call { service: Service::S3, method, url, headers, body }, deadline).await
    }
}

fn gone(failure: Failure) -> Result<Tagged, Failure> {
    match failure {
        Failure::Refused(refusal) if ["NoSuchKey", "NoSuchVersion"].contains(&refusal.code.as_str()) => {
            Ok(Tagged::Gone)
        }
        other => Err(other),
    }
}

/// The body for `PutObjectTagging`: the tags of a `GetObjectTagging` answer, word for word, and one more.
fn with_tag(answer: &str, (name, value): (&str, &str)) -> String {
    let key_element = format!("<Key>{name}</Key>");
    let kept: String = answer
        .split("<Tag>")
        .skip(1)
        .filter_map(|rest| rest.split_once("</Tag>"))
        .filter(|(tag, _)| !tag.contains(&key_element))
        .map(|(tag, _)| format!("<Tag>{tag}</Tag>"))
        .collect();
    format!("<Tagging><TagSet>{kept}<Tag>{key_element}<Value>{value}</Value></Tag></TagSet></Tagging>")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROCESSED: &str = "<Tag><Key>processed</Key><Value>true</Value></Tag>";

    #[test]
    fn the_first_tag() {
        for none in ["", "<Tagging><TagSet/></Tagging>", "<Tagging><TagSet></TagSet></Tagging>"] {
            assert_eq!(
                with_tag(none, ("processed", "true")),
                format!("<Tagging><TagSet>{PROCESSED}</TagSet></Tagging>")
            );
        }
    }

    #[test]
    fn other_tags_stay_as_they_are_and_an_old_value_goes() {
        let answer = "<?xml version=\"1.0\"?>\n<Tagging xmlns=\"x\"><TagSet>\
                      <Tag><Key>a&amp;b</Key><Value>&lt;1</Value></Tag>\n\
                      <Tag>\n<Key>processed</Key><Value>false</Value></Tag></TagSet></Tagging>";
        assert_eq!(
            with_tag(answer, ("processed", "true")),
            format!("<Tagging><TagSet><Tag><Key>a&amp;b</Key><Value>&lt;1</Value></Tag>{PROCESSED}</TagSet></Tagging>")
        );
    }
}
