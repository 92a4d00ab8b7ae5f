//! Signature Version 4 of a request to SQS, because no client gets around it (IAM User Guide, "Create a signed AWS API
//! request").

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The sandbox reads the account from the access key.
const ACCESS_KEY: &str = "000000000000";
const SECRET: &str = "loopback";

/// Signs for one host, with a key that holds for a day.
pub struct Signer {
    host: String,
    scope: String,
    time: String,
    key: [u8; 32],
}

impl Signer {
    pub fn new(host: &str) -> Signer {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let (date, time) = stamp(seconds);
        let scope = format!("{date}/us-east-1/sqs/aws4_request");
        let key = scope.split('/').fold(format!("AWS4{SECRET}").into_bytes(), |key, part| mac(&key, part).to_vec());
        let key = key.try_into().unwrap_or([0; 32]);
        Signer { host: host.to_owned(), scope, time: format!("{date}T{time}Z"), key }
    }

    /// The first line and the headers of a call, without its length.
    pub fn head(&self, operation: &str, body: &[u8]) -> String {
        let Signer { host, scope, time, .. } = self;
        let signed = "host;x-amz-date;x-amz-target";
        let digest = hex(&Sha256::digest(body));
        let canonical = format!(
            "POST\n/\n\nhost:{host}\nx-amz-date:{time}\nx-amz-target:AmazonSQS.{operation}\n\n{signed}\n{digest}"
        );
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
        let signature = hex(&mac(&self.key, &text));
        format!(
            "POST / HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/x-amz-json-1.0\r\nx-amz-date: {time}\r\n\
             x-amz-target: AmazonSQS.{operation}\r\nauthorization: AWS4-HMAC-SHA256 \
             Credential={ACCESS_KEY}/{scope}, SignedHeaders={signed}, Signature={signature}\r\n"
        )
    }
}

fn mac(key: &[u8], text: &str) -> [u8; 32] {
    // A key may have any length.
    Hmac::<Sha256>::new_from_slice(key).map_or([0; 32], |mac| mac.chain_update(text).finalize().into_bytes().into())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Date and time in UTC, as `YYYYMMDD` and `HHMMSS`, by the calendar that counts years from March.
fn stamp(seconds: u64) -> (String, String) {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let time = format!("{:02}{:02}{:02}", rest / 3_600, rest / 60 % 60, rest % 60);
    (format!("{year:04}{month:02}{day:02}"), time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, date, time) in [
            (0, "19700101", "000000"),
            (951_782_400, "20000229", "000000"),
            (1_456_790_399, "20160229", "235959"),
            (4_102_444_800, "21000101", "000000"),
        ] {
            assert_eq!(stamp(seconds), (date.to_owned(), time.to_owned()));
        }
    }
}
