//! The words of a line that is being typed, as the shells quote them.

/// How a shell quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quoting {
    /// bash and zsh (POSIX.1-2024, Shell Command Language, "Quoting").
    Posix,
    /// The same, but a quote and a backslash are escaped between single quotes too (fish, "Language", "Quotes").
    Fish,
    /// Backticks escape, and a quote is doubled between its own kind (PowerShell, "about_Quoting_Rules").
    PowerShell,
}

/// A word of the line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Word {
    /// As it was typed.
    pub typed: String,
    /// What the program is given.
    pub value: String,
    /// The quote that is still open at its end.
    pub open_quote: Option<char>,
}

impl Quoting {
    /// The words of a line up to the cursor. The last one is the one that is being typed, and empty behind a blank.
    pub fn words(self, line: &str) -> Vec<Word> {
        let mut words = vec![Word::default()];
        let mut rest = line;
        while let (Some(first), Some(word)) = (rest.chars().next(), words.last_mut()) {
            let (taken, value) = match word.open_quote {
                None if first.is_whitespace() => {
                    if !word.typed.is_empty() {
                        words.push(Word::default());
                    }
                    rest = &rest[first.len_utf8()..];
                    continue;
                }
                None if matches!(first, '\'' | '"') => {
                    word.open_quote = Some(first);
                    (first.len_utf8(), None)
                }
                None => self.escaped(rest, None).unwrap_or((first.len_utf8(), Some(first))),
                Some(quote) => match self.escaped(rest, Some(quote)) {
                    Some(escaped) => escaped,
                    None if first == quote => {
                        word.open_quote = None;
                        (first.len_utf8(), None)
                    }
                    None => (first.len_utf8(), Some(first)),
                },
            };
            word.typed.push_str(&rest[..taken]);
            word.value.extend(value);
            rest = &rest[taken..];
        }
        words
    }

    /// The length and the meaning of the escape that the text begins with.
    fn escaped(self, text: &str, quote: Option<char>) -> Option<(usize, Option<char>)> {
        let mut chars = text.chars();
        let (first, next) = (chars.next()?, chars.next());
        let is_doubled = self == Quoting::PowerShell && quote == Some(first) && next == Some(first);
        let escape = if self == Quoting::PowerShell { '`' } else { '\\' };
        let means_itself = match (quote, next) {
            (Some('\''), Some(next)) => self == Quoting::Fish && matches!(next, '\'' | '\\'),
            (Some('"'), Some(next)) if self != Quoting::PowerShell => matches!(next, '"' | '\\' | '$' | '`'),
            // An escape that nothing follows yet.
            (Some('\''), None) => false,
            _ => true,
        };
        match is_doubled || (first == escape && means_itself) {
            true => Some((first.len_utf8() + next.map_or(0, char::len_utf8), next)),
            false => None,
        }
    }

    /// The text as it has to stand where this quote is open, so that the program is given just the text.
    pub fn escape(self, text: &str, open_quote: Option<char>) -> String {
        let escape = if self == Quoting::PowerShell { '`' } else { '\\' };
        let mut escaped = String::with_capacity(text.len());
        for char in text.chars() {
            match open_quote {
                Some('\'') if char == '\'' && self == Quoting::Posix => escaped.push_str("'\\'"),
                Some('\'') if char == '\'' && self == Quoting::PowerShell => escaped.push('\''),
                Some('\'') if self == Quoting::Fish && matches!(char, '\'' | '\\') => escaped.push(escape),
                Some('"') if matches!(char, '"' | '$') || char == escape => escaped.push(escape),
                Some('"') if char == '`' && self == Quoting::Posix => escaped.push(escape),
                None if !is_plain(char) => escaped.push(escape),
                _ => {}
            }
            escaped.push(char);
        }
        escaped
    }
}

/// What no shell takes for anything but itself. `=` and `:` stay, because they stand in flags and URLs.
fn is_plain(char: char) -> bool {
    char.is_alphanumeric() || "-_./=:@%+,".contains(char)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(quoting: Quoting, line: &str) -> Vec<String> {
        quoting.words(line).into_iter().map(|word| word.value).collect()
    }

    #[test]
    fn words_are_read_as_the_shell_gives_them_to_a_program() {
        use Quoting::{Fish, Posix, PowerShell};
        for (quoting, line, words) in [
            (Posix, "up my\\ f", vec!["up", "my f"]),
            (Posix, "up 'my f' \"a \\\"b\\\" \\n\"", vec!["up", "my f", "a \"b\" \\n"]),
            (Posix, "up  \"my f", vec!["up", "my f"]),
            (Posix, "up 'a\\'b", vec!["up", "a\\b"]),
            (Posix, "up --env=l s3://b/", vec!["up", "--env=l", "s3://b/"]),
            (Posix, "up ", vec!["up", ""]),
            (Posix, "up ''", vec!["up", ""]),
            (Posix, "up a\\", vec!["up", "a"]),
            (Posix, "up \"my d\"/f", vec!["up", "my d/f"]),
            (Fish, "up 'it\\'s' 'a\\b'", vec!["up", "it's", "a\\b"]),
            (PowerShell, "up 'it''s' `\"x \"a`\"b\"\"c\"", vec!["up", "it's", "\"x", "a\"b\"c"]),
            (PowerShell, "up C:\\my` f", vec!["up", "C:\\my f"]),
        ] {
            assert_eq!(values(quoting, line), words, "{quoting:?} {line}");
        }
    }

    #[test]
    fn an_open_quote_is_known() {
        let open = |line: &str| Quoting::Posix.words(line).pop().unwrap().open_quote;
        assert_eq!((open("a \"b "), open("a 'b\""), open("a \"b\""), open("a b")), (Some('"'), Some('\''), None, None));
    }

    proptest! {
        /// Whatever a name holds, what is put into the line means just that name.
        #[test]
        fn what_is_escaped_is_read_back(
            name in "[ -~äß€]{1,12}",
            quoting in prop::sample::select(vec![Quoting::Posix, Quoting::Fish, Quoting::PowerShell]),
            quote in prop::sample::select(vec![None, Some('\''), Some('"')]),
        ) {
            let line = format!("up {}{}", quote.map(String::from).unwrap_or_default(), quoting.escape(&name, quote));
            // Where a quote had to be closed and opened again, nothing of the name is lost.
            prop_assert_eq!(values(quoting, &line), vec!["up".to_owned(), name]);
        }
    }
}
