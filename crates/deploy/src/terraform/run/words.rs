//! What Terraform, or a program in front of it, says: without what a terminal is told by, and the JSON in it apart from
//! what else was said.

use serde::de::IgnoredAny;

/// A line without the codes that color it or move a cursor (ECMA-48, "Control sequences"; xterm, "Operating System
/// Commands"). Terraform colors also where nobody looks on, before it has read that it is not to.
pub fn plain(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find('\u{1b}') {
        plain.push_str(&rest[..at]);
        rest = after_code(&rest[at + 1..]);
    }
    plain.push_str(rest);
    plain.retain(|c| c == '\t' || !c.is_control());
    plain
}

/// What follows the code that an escape begins.
fn after_code(text: &str) -> &str {
    let end = match text.chars().next() {
        Some('[') => text[1..].find(|c: char| ('\u{40}'..='\u{7e}').contains(&c)).map(|at| at + 2),
        // Ended by a bell, or by an escape of its own.
        Some(']') => text.find(['\u{7}', '\u{1b}']).map(|at| at + usize::from(text[at..].starts_with('\u{7}'))),
        Some(other) => Some(other.len_utf8()),
        None => None,
    };
    end.map_or("", |end| &text[end..])
}

/// The JSON document in what was said, and the lines around it, which are of a program in front of Terraform.
pub fn document(said: &str) -> (Option<&str>, Vec<&str>) {
    let mut at = 0;
    for line in said.split_inclusive('\n') {
        if line.trim_start().starts_with('{') {
            let mut values = serde_json::Deserializer::from_str(&said[at..]).into_iter::<IgnoredAny>();
            if let Some(Ok(_)) = values.next() {
                let end = at + values.byte_offset();
                return (Some(&said[at..end]), lines(&said[..at]).chain(lines(&said[end..])).collect());
            }
        }
        at += line.len();
    }
    (None, lines(said).collect())
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_the_words_is_left_of_a_line() {
        for (line, is) in [
            ("no codes", "no codes"),
            ("\u{1b}[31m╷\u{1b}[0m\u{1b}[0m", "╷"),
            ("\u{1b}[1m\u{1b}[31mError: \u{1b}[0m\u{1b}[1mInvalid\u{1b}[0m", "Error: Invalid"),
            ("\u{1b}[38;5;196mred\u{1b}[K", "red"),
            ("\u{1b}]8;;https://example.com\u{7}link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}(Bplain\u{7}", "Bplain"),
            ("cut \u{1b}[3", "cut "),
            ("cut \u{1b}", "cut "),
            ("a\tb\r", "a\tb"),
        ] {
            assert_eq!(plain(line), is, "{line:?}");
        }
    }

    #[test]
    fn a_document_is_found_among_other_lines() {
        for (said, json, others) in [
            ("{\"a\":1}\n", Some("{\"a\":1}"), vec![]),
            ("using 1.11.4\n{\n \"a\": 1\n}\nbye\n", Some("{\n \"a\": 1\n}"), vec!["using 1.11.4", "bye"]),
            ("{hello}\n{\"a\":1}", Some("{\"a\":1}"), vec!["{hello}"]),
            ("nothing\n", None, vec!["nothing"]),
            ("", None, vec![]),
        ] {
            assert_eq!(document(said), (json, others), "{said}");
        }
    }
}
