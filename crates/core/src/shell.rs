//! Words written so that a shell reads them back: for commands that an operator is to type.

use std::borrow::Cow;

/// A command line: words as a shell reads them back.
pub fn command_line<W: AsRef<str>>(words: &[W]) -> String {
    words.iter().map(|word| quoted(word.as_ref())).collect::<Vec<_>>().join(" ")
}

/// One word as a shell reads it back. Quotes only where it must.
pub fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => Cow::Borrowed(word),
        false => Cow::Owned(format!("'{}'", word.replace('\'', r"'\''"))),
    }
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
    }
}
