//! What an operator is told to do next: a sentence, or a command of claimctl as a value. Only the edge knows how it is
//! written out, because only the edge knows what was typed to reach the environment.

use std::fmt;

use crate::shell::command_line;

/// A remedy: what to do, in words or by a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    Say(String),
    /// Reads like "make the state bucket: claimctl bootstrap".
    Run {
        why: String,
        next: Next,
    },
}

/// A command of claimctl. The flags that lead to the environment of this run are added where it is written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    base: Base,
    words: Vec<String>,
    environment: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Base {
    /// A verb by its words, such as `queue` and `peek`.
    Verb,
    /// The command line that was typed.
    Typed,
}

impl Next {
    /// `verb` reads like "queue peek".
    pub fn verb(verb: &str) -> Next {
        Next { base: Base::Verb, words: verb.split(' ').map(str::to_owned).collect(), environment: None }
    }

    /// What was typed, once more; what is added goes to its end.
    pub fn again() -> Next {
        Next { base: Base::Typed, words: Vec::new(), environment: None }
    }

    pub fn word(self, word: impl Into<String>) -> Next {
        self.words([word])
    }

    /// What is behind `--` stays behind all that is added.
    pub fn words<W: Into<String>>(self, words: impl IntoIterator<Item = W>) -> Next {
        let words: Vec<String> = words.into_iter().map(Into::into).collect();
        Next { words: joined(&self.words, &words), ..self }
    }

    /// A flag with a value: `--to`, `FILE`.
    pub fn flag(self, name: &str, value: impl fmt::Display) -> Next {
        self.words([name.to_owned(), value.to_string()])
    }

    /// In this environment rather than in the one that was typed.
    pub fn in_environment(self, name: &str) -> Next {
        Next { environment: Some(name.to_owned()), ..self }
    }

    /// Whether it is what was typed, with more behind it.
    pub fn is_again(&self) -> bool {
        self.base == Base::Typed
    }

    /// The words behind `claimctl`, or behind what was typed.
    pub fn as_words(&self) -> &[String] {
        &self.words
    }

    pub fn environment(&self) -> Option<&str> {
        self.environment.as_deref()
    }
}

/// Without the flags that lead to the environment.
impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.base {
            Base::Verb => "claimctl",
            Base::Typed => "the same command",
        })?;
        let environment: Vec<String> =
            self.environment.iter().flat_map(|name| ["--env".to_owned(), name.clone()]).collect();
        let words = joined(&self.words, &environment);
        match words.is_empty() {
            true => Ok(()),
            false => write!(f, " {}", command_line(&words)),
        }
    }
}

/// Words with more words among them. What is behind `--` is another program's, and stays behind everything else.
pub fn joined(words: &[String], more: &[String]) -> Vec<String> {
    let split = |words: &[String]| {
        let (own, passed_on) = words.split_at(words.iter().position(|word| word == "--").unwrap_or(words.len()));
        (own.to_vec(), passed_on.iter().skip(1).cloned().collect::<Vec<_>>())
    };
    let ((own, passed_on), (more_own, more_passed_on)) = (split(words), split(more));
    let passed_on = [passed_on, more_passed_on].concat();
    let separator = (!passed_on.is_empty()).then(|| "--".to_owned());
    [own, more_own, separator.into_iter().collect(), passed_on].concat()
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hint::Say(text) => f.write_str(text),
            Hint::Run { why, next } => write!(f, "{why}: {next}"),
        }
    }
}

impl From<String> for Hint {
    fn from(text: String) -> Hint {
        Hint::Say(text)
    }
}

impl From<&str> for Hint {
    fn from(text: &str) -> Hint {
        Hint::Say(text.to_owned())
    }
}

impl From<&Hint> for Hint {
    fn from(hint: &Hint) -> Hint {
        hint.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_written_as_a_shell_reads_it() {
        let next = Next::verb("queue drain").word("claims").flag("--to", "a file.jsonl");
        assert_eq!(next.to_string(), "claimctl queue drain claims --to 'a file.jsonl'");
        let elsewhere = Next::verb("plan").word("claim-check").in_environment("dev");
        assert_eq!(elsewhere.to_string(), "claimctl plan claim-check --env dev");
        assert_eq!(Next::again().word("--force").to_string(), "the same command --force");
    }

    #[test]
    fn what_is_passed_on_to_another_program_stays_behind_the_flags() {
        let plan = Next::verb("plan").words(["claim-check", "--", "-lock=false"]).word("--all").in_environment("dev");
        assert_eq!(plan.to_string(), "claimctl plan claim-check --all --env dev -- -lock=false");
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let more = joined(&words("plan -- -a"), &words("--force -- -b"));
        assert_eq!(more, words("plan --force -- -a -b"));
    }
}
