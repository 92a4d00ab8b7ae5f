//! Whether a message is what was sent: its MD5 digests, as SQS makes them of the body and of the message attributes
//! (Amazon SQS Developer Guide, "Calculating the MD5 message digest for message attributes").

use std::collections::{BTreeMap, HashMap};

use aws_sdk_sqs::types::{Message as Received, MessageAttributeValue};
use md5::{Digest, Md5};

use crate::message::Attribute;

/// Before a text value and before a binary one.
const TEXT: u8 = 1;
const BINARY: u8 = 2;

/// Hexadecimal, as SQS writes it.
pub fn of_body(body: &str) -> String {
    hex(Md5::digest(body))
}

/// Of attributes as they are sent. None: there are none, and SQS gives no digest.
pub fn of_attributes(attributes: &BTreeMap<String, Attribute>) -> Option<String> {
    let values = attributes.iter().map(|(name, attribute)| Some((name.as_str(), attribute.to_value()?)));
    let values: Vec<_> = values.collect::<Option<_>>()?;
    of_values(values.iter().map(|(name, value)| (*name, value)).collect())
}

/// The only system attribute that can be sent.
pub fn of_trace(header: &str) -> Option<String> {
    let value = MessageAttributeValue::builder().data_type("String").string_value(header).build().ok()?;
    of_values(BTreeMap::from([("AWSTraceHeader", &value)]))
}

/// Why a message is not the one that SQS says it gave, in words that end a sentence about it. A server that gives no
/// digest is believed.
pub fn check_received(message: &Received) -> Result<(), &'static str> {
    let body = of_body(message.body.as_deref().unwrap_or_default());
    if differs(message.md5_of_body.as_deref(), Some(&body)) {
        return Err("its body is not the one that SQS gave the MD5 of: it was changed on the way");
    }
    let attributes = message.message_attributes.as_ref();
    let values = attributes.map(HashMap::iter).into_iter().flatten().map(|(name, value)| (name.as_str(), value));
    if differs(message.md5_of_message_attributes.as_deref(), of_values(values.collect()).as_deref()) {
        return Err("its attributes are not those that SQS gave the MD5 of: they were changed on the way");
    }
    Ok(())
}

/// Whether both are known and another. Of no attributes a server may say nothing, or something.
pub fn differs(said: Option<&str>, made: Option<&str>) -> bool {
    let said = said.filter(|said| !said.is_empty());
    said.is_some_and(|said| made.is_none_or(|made| !said.eq_ignore_ascii_case(made)))
}

fn of_values(values: BTreeMap<&str, &MessageAttributeValue>) -> Option<String> {
    if values.is_empty() {
        return None;
    }
    let mut digest = Md5::new();
    for (name, value) in values {
        add(&mut digest, name.as_bytes());
        add(&mut digest, value.data_type.as_bytes());
        match &value.binary_value {
            Some(binary) => {
                digest.update([BINARY]);
                add(&mut digest, binary.as_ref());
            }
            None => {
                digest.update([TEXT]);
                add(&mut digest, value.string_value.as_deref().unwrap_or_default().as_bytes());
            }
        }
    }
    Some(hex(digest.finalize()))
}

/// The length, and the bytes.
fn add(digest: &mut Md5, bytes: &[u8]) {
    digest.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    digest.update(bytes);
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::Blob;

    use super::*;

    fn attribute(data_type: &str, value: &str) -> Attribute {
        Attribute { data_type: data_type.to_owned(), value: value.to_owned() }
    }

    fn value(data_type: &str) -> aws_sdk_sqs::types::builders::MessageAttributeValueBuilder {
        MessageAttributeValue::builder().data_type(data_type)
    }

    /// Made by another program, by the description in the guide.
    #[test]
    fn digests_are_those_that_sqs_makes() {
        assert_eq!(of_body("This is a test message"), "fafb00f5732ab283681e124bf8747ed1");
        assert_eq!(of_body(""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(of_attributes(&BTreeMap::new()), None);
        for (attributes, expected) in [
            (vec![("n", attribute("String", "v"))], "f4b238699da710fd012839c16c09f1ca"),
            (vec![("n", attribute("Number.int", "7"))], "f3c2a2801c523d26c8996134de718052"),
            (
                vec![("b", attribute("Binary.png", "AP8=")), ("a", attribute("String", "é"))],
                "dbdafc6755cea9e8925faf9e6a917917",
            ),
        ] {
            let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            assert_eq!(of_attributes(&attributes).as_deref(), Some(expected));
        }
        assert_eq!(of_trace("Root=1").as_deref(), Some("d6619b3d47b81d3fc72c0db005a70eda"));
    }

    #[test]
    fn a_message_that_differs_from_its_digests_is_found() {
        let whole = || {
            Received::builder()
                .body("body")
                .md5_of_body(of_body("body"))
                .message_attributes("n", value("Number").string_value("7").build().unwrap())
                .message_attributes("b", value("Binary").binary_value(Blob::new([0, 255])).build().unwrap())
                .md5_of_message_attributes(
                    of_attributes(&BTreeMap::from([
                        ("n".to_owned(), attribute("Number", "7")),
                        ("b".to_owned(), attribute("Binary", "AP8=")),
                    ]))
                    .unwrap(),
                )
        };
        assert_eq!(check_received(&whole().build()), Ok(()));
        let upper = of_body("body").to_uppercase();
        assert_eq!(check_received(&whole().md5_of_body(upper).build()), Ok(()));
        let silent = whole().set_md5_of_body(None).set_md5_of_message_attributes(None);
        assert_eq!(check_received(&silent.build()), Ok(()), "a server that gives no digest is believed");
        let text = |text: &str| value("Number").string_value(text).build().unwrap();
        for (changed, said) in [
            (whole().body("bodY"), "its body"),
            (whole().set_body(None), "its body"),
            (whole().message_attributes("n", text("8")), "its attributes"),
            (whole().message_attributes("m", text("7")), "its attributes"),
            (
                whole().message_attributes("b", value("Binary").binary_value(Blob::new([0])).build().unwrap()),
                "its attr",
            ),
            (whole().message_attributes("n", value("String").string_value("7").build().unwrap()), "its attributes"),
            (whole().set_message_attributes(None), "its attributes"),
        ] {
            let why = check_received(&changed.build()).unwrap_err();
            assert!(why.starts_with(said), "{why}");
        }
    }
}
