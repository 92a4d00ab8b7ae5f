//! Words written so that a shell reads them back: for commands that an operator is to type.

use std::borrow::Cow;

/// A command line: words as a shell reads them back.
pub fn command_line<W: AsRef<str>>(words: &[W]) -> String {
    words.iter().map(|word| quoted(word.as_ref())).collect::<Vec<_>>().join(" ")
}

/// One word as a shell reads it back. Quotes only where it must.
pub fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    match word {
        "" => Cow::Borrowed("''"),
        _ if word.chars().all(plain) => Cow::Borrowed(word),
        // They would break the line, or draw on the terminal (POSIX.1-2024, Shell Command Language, "Dollar-Single-Quotes").
        _ if word.contains(char::is_control) => Cow::Owned(format!("$'{}'", with_escapes(word))),
        _ => Cow::Owned(format!("'{}'", word.replace('\'', r"'\''"))),
    }
}

fn with_escapes(word: &str) -> String {
    let mut escaped = String::with_capacity(word.len() + 8);
    let mut bytes = [0; 4];
    for c in word.chars() {
        match c {
            '\n' => escaped.push_str("\\n"),
            '\\' | '\'' => escaped.extend(['\\', c]),
            c if c.is_control() => {
                escaped.extend(c.encode_utf8(&mut bytes).bytes().map(|byte| format!("\\{byte:03o}")));
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_meant() {
        assert_eq!(
            command_line(&["drain", "it's > 1", "", "a-b_c./:=,+@%9"]),
            r"drain 'it'\''s > 1' '' a-b_c./:=,+@%9"
        );
        assert_eq!(command_line(&["get", "a\nb'\\\u{1b}1"]), r"get $'a\nb\'\\\0331'");
    }
}
