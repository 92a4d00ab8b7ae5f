//! What SQS takes, checked before anything is sent (Amazon SQS Developer Guide, "Amazon SQS message quotas" and
//! "Amazon SQS message metadata"; Amazon SQS API Reference, SendMessageBatch).

use super::outgoing::Outgoing;
use crate::message::Attribute;

/// Entries of one batch.
pub const ENTRIES: usize = 10;
/// Bytes of one message, and of all messages of a batch: bodies, and names, types and values of attributes.
pub const BYTES: usize = 1 << 20;
/// Seconds that a message can be delayed.
pub const DELAY: u64 = 900;

const ATTRIBUTES: usize = 10;
const NAME_BYTES: usize = 256;
const GROUP_CHARACTERS: usize = 128;

/// Why SQS would not take the message, in words that end a sentence about it. `most` is the queue's own limit in bytes.
pub fn check(message: &Outgoing, most: usize) -> Result<(), String> {
    if message.body.is_empty() {
        return Err("its body is empty, and SQS takes one character or more".to_owned());
    }
    if let Some(bad) = message.body.chars().find(|c| !is_allowed(*c)) {
        return Err(format!("its body holds U+{:04X}, which SQS does not take", u32::from(bad)));
    }
    if message.attributes.len() > ATTRIBUTES {
        return Err(format!("it has {} attributes, and SQS takes {ATTRIBUTES}", message.attributes.len()));
    }
    for (name, attribute) in &message.attributes {
        check_name(name)?;
        check_type(name, &attribute.data_type)?;
        check_value(name, attribute)?;
    }
    if let Some(group) = &message.group {
        check_group(group)?;
    }
    match message.bytes() {
        bytes if bytes > most => Err(format!("it has {bytes} bytes with its attributes, and the queue takes {most}")),
        _ => Ok(()),
    }
}

/// A message group ID: up to 128 letters, digits and marks.
pub fn check_group(group: &str) -> Result<(), String> {
    let fits = (1..=GROUP_CHARACTERS).contains(&group.len()) && group.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(()) } else { Err(format!("{group:?} is not a message group: 1 to 128 letters, digits and marks")) }
}

fn check_name(name: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let lower = name.to_ascii_lowercase();
    let reserved = lower.starts_with("aws.") || lower.starts_with("amazon.");
    let dots = name.starts_with('.') || name.ends_with('.') || name.contains("..");
    match (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(plain) && !reserved && !dots {
        true => Ok(()),
        false => Err(format!("{name:?} is not the name of a message attribute")),
    }
}

fn check_type(name: &str, data_type: &str) -> Result<(), String> {
    let base = data_type.split('.').next().unwrap_or_default();
    match ["String", "Number", "Binary"].contains(&base) && data_type.len() <= NAME_BYTES {
        true => Ok(()),
        false => Err(format!("attribute {name} has the type {data_type:?}, and SQS knows String, Number and Binary")),
    }
}

fn check_value(name: &str, attribute: &Attribute) -> Result<(), String> {
    if attribute.value.is_empty() {
        return Err(format!("attribute {name} is empty, which SQS does not take"));
    }
    match (attribute.is_binary(), attribute.value.chars().all(is_allowed)) {
        (true, _) if attribute.to_value().is_none() => Err(format!("the value of attribute {name} is not base64")),
        (false, false) => Err(format!("attribute {name} holds a character that SQS does not take")),
        _ if attribute.data_type.split('.').next() == Some("Number") && !is_number(&attribute.value) => Err(format!(
            "attribute {name} is a Number, and {:?} is none of up to 38 digits between 1e-128 and 1e126",
            attribute.value
        )),
        _ => Ok(()),
    }
}

/// Up to 38 significant digits, and from 10^-128 to 10^126, with either sign (Amazon SQS Developer Guide, "Amazon SQS
/// message metadata").
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (decimal, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((decimal, exponent)) => (decimal, exponent.parse::<i64>().ok()),
        None => (unsigned, Some(0)),
    };
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let digits = format!("{whole}{fraction}");
    let Some(exponent) = exponent.filter(|_| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
    else {
        return false;
    };
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return true;
    }
    // Of the first digit that counts.
    let magnitude = exponent + significant.len() as i64 - fraction.len() as i64 - 1;
    significant.trim_end_matches('0').len() <= 38 && (-128..=126).contains(&magnitude)
}

/// The characters of XML 1.0, as far as SQS takes them.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str, attributes: &[(&str, &str, &str)]) -> Outgoing {
        let attribute = |(name, data_type, value): &(&str, &str, &str)| {
            ((*name).to_owned(), Attribute { data_type: (*data_type).to_owned(), value: (*value).to_owned() })
        };
        Outgoing { attributes: attributes.iter().map(attribute).collect(), ..Outgoing::of_body(body) }
    }

    #[test]
    fn what_sqs_takes_passes() {
        let names: Vec<String> = (0..10).map(|number| format!("n-{number}_.x")).collect();
        let ten: Vec<_> = names.iter().map(|name| (name.as_str(), "Number.int", "1")).collect();
        for message in [
            message("\t\n\r é 🙂 \u{fffd}", &[]),
            message(&"x".repeat(BYTES), &[]),
            message("x", &ten),
            message("x", &[("b", "Binary.png", "AP8=")]),
        ] {
            assert_eq!(check(&message, BYTES), Ok(()));
        }
    }

    #[test]
    fn a_number_is_one() {
        let digits = "1".repeat(38);
        for number in ["0", "-7", "+3.50", ".5", "5.", "1e126", "1E-128", "0.000", &digits, &format!("{digits}000")] {
            assert!(is_number(number), "{number}");
        }
        for text in
            ["", "-", ".", "seven", "1,5", "0x1F", "1e", "1e127", "1e-129", "NaN", " 1", "1 ", "1".repeat(39).as_str()]
        {
            assert!(!is_number(text), "{text}");
        }
    }

    #[test]
    fn what_sqs_refuses_is_said_in_words() {
        let eleven: Vec<String> = (0..11).map(|number| format!("n{number}")).collect();
        let eleven: Vec<_> = eleven.iter().map(|name| (name.as_str(), "String", "1")).collect();
        for (message, said) in [
            (message("", &[]), "body is empty"),
            (message("a\u{0}", &[]), "U+0000"),
            (message("a\u{ffff}", &[]), "U+FFFF"),
            (message(&"x".repeat(BYTES + 1), &[]), "1048577 bytes"),
            (message(&"x".repeat(BYTES - 8), &[("n", "String", "vv")]), "1048577 bytes"),
            (message("x", &eleven), "11 attributes"),
            (message("x", &[("AWS.x", "String", "v")]), "\"AWS.x\" is not the name"),
            (message("x", &[("a..b", "String", "v")]), "is not the name"),
            (message("x", &[("n", "Text", "v")]), "the type \"Text\""),
            (message("x", &[("n", "String", "")]), "n is empty"),
            (message("x", &[("n", "String", "\u{1}")]), "a character that SQS"),
            (message("x", &[("n", "Binary", "no base64!")]), "n is not base64"),
            (message("x", &[("n", "Number.int", "three")]), "n is a Number, and \"three\" is none"),
        ] {
            let why = check(&message, BYTES).unwrap_err();
            assert!(why.contains(said), "{said:?} is not in {why:?}");
        }
        assert!(check(&message("xx", &[]), 1).is_err());
        assert!(check_group(&"g".repeat(128)).is_ok() && check_group(&"g".repeat(129)).is_err());
        assert!(check_group("").is_err() && check_group("two words").is_err());
    }
}
