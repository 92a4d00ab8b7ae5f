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

    pub fn words<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Next {
        self.words.extend(words.into_iter().map(Into::into));
        self
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
        let environment = self.environment.iter().flat_map(|name| ["--env", name.as_str()]);
        let words: Vec<&str> = self.words.iter().map(String::as_str).chain(environment).collect();
        match words[..] {
            [] => Ok(()),
            _ => write!(f, " {}", command_line(&words)),
        }
    }
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
}
