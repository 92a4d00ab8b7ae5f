//! Takes credentials out of what is about to be written down.

use std::collections::BTreeSet;

const HIDDEN: &str = "[hidden]";

/// What the name of a secret has in it, written as one word.
const SECRETS: [&str; 11] = [
    "externalid",
    "mfa",
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "credential",
    "signature",
    "apikey",
    "privatekey",
];

/// The same where it stands alone: other words have it in them.
const SECRET_WORDS: [&str; 2] = ["pass", "pwd"];

/// Arguments with the values of secret flags, of these variables, and everything that looks like a credential replaced.
pub fn redact_arguments(arguments: &[String], sensitive: &BTreeSet<String>) -> Vec<String> {
    let mut value_is_secret = false;
    arguments
        .iter()
        .map(|argument| {
            let is_value = value_is_secret && !argument.starts_with("--");
            value_is_secret = argument.starts_with("--") && !argument.contains('=') && is_secret_name(argument);
            match (is_value || is_secret_document(argument), secret_assignment(argument, sensitive)) {
                (true, _) => HIDDEN.to_owned(),
                (false, Some(name)) => format!("{name}={HIDDEN}"),
                (false, None) => redact(argument),
            }
        })
        .collect()
}

/// The `NAME` or `--flag=NAME` of an argument that gives a secret its value, which may be of several words.
fn secret_assignment<'a>(argument: &'a str, sensitive: &BTreeSet<String>) -> Option<&'a str> {
    let parts = argument.match_indices('=').map(|(end, _)| (&argument[..end], &argument[end + 1..]));
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let last = |so_far: &'a str| so_far.rsplit('=').next().unwrap_or_default();
    let mut assignments = parts.take_while(|(so_far, _)| is_name(last(so_far)));
    let found = assignments.find(|(so_far, value)| {
        let name = last(so_far);
        let is_variable = !name.starts_with('-');
        let has_several_words = is_variable && value.contains(char::is_whitespace) && is_secret_name(value);
        is_secret_name(name) || sensitive.contains(name) || has_several_words || is_secret_document(value)
    });
    found.map(|(name, _)| name)
}

/// An object or a list, in JSON or as Terraform writes it, that names a secret: which part is its value is not told.
fn is_secret_document(value: &str) -> bool {
    value.trim_start().starts_with(['{', '[']) && value != HIDDEN && is_secret_name(value)
}

/// The names of what was hidden in a command: an operator has to type it again.
pub fn hidden_in(command: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut before = String::new();
    for word in words(command) {
        if let Some((head, _)) = word.split_once(HIDDEN) {
            let name = match head.rsplit_once('=') {
                Some((name, _)) => name.rsplit(['=', '?', '&']).next().unwrap_or_default(),
                None => &before,
            };
            names.push(name.to_owned());
        }
        before = word;
    }
    names.dedup();
    names
}

/// The words of a command line that was quoted for a shell.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted, mut is_escaped) = (Vec::new(), String::new(), false, false);
    for c in command.chars() {
        match c {
            _ if is_escaped => {
                word.push(c);
                is_escaped = false;
            }
            '\\' if !is_quoted => is_escaped = true,
            '\'' => is_quoted = !is_quoted,
            c if c.is_whitespace() && !is_quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words
}

/// Text with everything that looks like a credential replaced.
pub fn redact(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let length = rest.find(is_border).unwrap_or(rest.len());
        let (word, after) = rest.split_at(length);
        clean.push_str(&redact_word(word));
        let border = after.chars().next().map_or(0, char::len_utf8);
        clean.push_str(&after[..border]);
        rest = &after[border..];
    }
    clean
}

/// What separates words, and the parameters of a presigned URL.
fn is_border(c: char) -> bool {
    c.is_whitespace() || matches!(c, '&' | '?' | ',' | ';' | '"' | '\'' | '(' | ')')
}

fn redact_word(word: &str) -> String {
    if let Some((name, value)) = word.split_once('=') {
        let value = if is_secret_name(name) && !value.is_empty() { HIDDEN.to_owned() } else { redact_word(value) };
        return format!("{name}={value}");
    }
    if let Some((scheme, address)) = word.split_once("://") {
        let authority = address.split('/').next().unwrap_or(address);
        return match authority.rsplit_once('@') {
            Some((user, _)) => format!("{scheme}://{HIDDEN}{}", &address[user.len()..]),
            None => word.to_owned(),
        };
    }
    if is_access_key(word) || is_secret_key(word) { HIDDEN.to_owned() } else { word.to_owned() }
}

/// Whether a name, of a flag, a variable or an attribute, is that of a secret.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let joined = name.replace(['-', '_'], "");
    SECRETS.iter().any(|secret| joined.contains(secret))
        || name.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| SECRET_WORDS.contains(&word))
}

/// The id of a long-term or temporary key (AWS IAM User Guide, "IAM identifiers").
fn is_access_key(word: &str) -> bool {
    word.len() >= 20
        && (word.starts_with("AKIA") || word.starts_with("ASIA"))
        && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// The shape of a secret access key: forty characters of base64 that are neither a digest nor a word.
fn is_secret_key(word: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| word.as_bytes().iter().any(kind);
    word.len() == 40
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'/' || byte == b'+')
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &str) -> String {
        redact_arguments(&line.split(' ').map(str::to_owned).collect::<Vec<_>>(), &BTreeSet::new()).join(" ")
    }

    #[test]
    fn the_value_of_a_secret_flag_is_hidden_in_both_forms() {
        assert_eq!(arguments("env show --external-id 4711 --env dev"), "env show --external-id [hidden] --env dev");
        assert_eq!(arguments("x --mfa-code=123456 y"), "x --mfa-code=[hidden] y");
        assert_eq!(arguments("x --session-token --yes"), "x --session-token --yes");
    }

    #[test]
    fn a_secret_of_several_words_is_hidden_whole_and_named() {
        let words =
            ["deploy", "x", "--var", "db_password=correct horse", "--var=api_token=a b", "--session-token", "t"];
        let hidden = redact_arguments(&words.map(str::to_owned), &BTreeSet::new());
        let line = hidden.join(" ");
        assert_eq!(line, "deploy x --var db_password=[hidden] --var=api_token=[hidden] --session-token [hidden]");
        assert_eq!(hidden_in(&line), ["db_password", "api_token", "--session-token"]);
        assert_eq!(hidden_in("deploy x '--var=db_password=[hidden]'"), ["db_password"]);
        assert!(hidden_in("deploy x --var a=b").is_empty());
    }

    #[test]
    fn a_secret_within_a_document_or_of_a_sensitive_variable_is_hidden_whole() {
        let sensitive = BTreeSet::from(["pin".to_owned()]);
        let hidden = |argument: &str| redact_arguments(&[argument.to_owned()], &sensitive).concat();
        for (argument, told) in [
            ("db={password=\"hunter2\"}", "db=[hidden]"),
            ("--var=db={ user = \"me\", db_pass = \"hunter2\" }", "--var=db=[hidden]"),
            ("--var=keys=[{\"api_key\":\"hunter2\"}]", "--var=keys=[hidden]"),
            ("{\"privateKey\": \"hunter2\"}", "[hidden]"),
            ("dsn=host=h password=correct horse", "dsn=[hidden]"),
            ("pin=1234", "pin=[hidden]"),
            ("--var=pin=1234", "--var=pin=[hidden]"),
            ("root_pwd=hunter2", "root_pwd=[hidden]"),
        ] {
            assert_eq!(hidden(argument), told);
        }
        for plain in ["tags={team=\"ops\"}", "bypass=true", "prefix=in/tokens.csv", "--pin", "{\"id\": 1}"] {
            assert_eq!(hidden(plain), plain);
        }
    }

    #[test]
    fn what_is_hidden_in_the_middle_of_a_value_is_named_too() {
        assert_eq!(hidden_in("deploy x --var url=https://[hidden]@host/p"), ["url"]);
        assert_eq!(hidden_in("upload --endpoint-url https://[hidden]@host"), ["--endpoint-url"]);
        assert_eq!(hidden_in(r"deploy x '--var=note=it'\''s [hidden], I think'"), ["note"]);
    }

    #[test]
    fn what_an_operator_needs_to_read_stays() {
        for line in [
            "upload data/part-1.csv --key in/2026/a+b%20c.csv --metadata owner=ops",
            "verify --endpoint-url http://127.0.0.1:4566 --since 2h",
            "upload e3b0c44298fc1c149afbf4c8996fb92427ae41e4 --kms-key arn:aws:kms:us-east-1:111111111111:key/a-b",
        ] {
            assert_eq!(arguments(line), line);
        }
    }

    #[test]
    fn what_looks_like_a_credential_is_hidden_wherever_it_stands() {
        assert_eq!(redact("denied for AKIAABCDEFGHIJKLMNOP, really"), "denied for [hidden], really");
        assert_eq!(redact(&"aB3/".repeat(10)), "[hidden]");
        assert_eq!(redact("AWS_SECRET_ACCESS_KEY=abc"), "AWS_SECRET_ACCESS_KEY=[hidden]");
        assert_eq!(
            redact("https://b.s3.amazonaws.com/k?X-Amz-Credential=a&X-Amz-Date=d&X-Amz-Signature=s"),
            "https://b.s3.amazonaws.com/k?X-Amz-Credential=[hidden]&X-Amz-Date=d&X-Amz-Signature=[hidden]"
        );
        assert_eq!(redact("https://me:pass@host:1/p"), "https://[hidden]@host:1/p");
    }
}
