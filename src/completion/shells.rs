//! What each shell hands over at Tab, and how it wants the answer.

use std::ffi::OsString;

use clap_complete::CompletionCandidate;

use super::Shell;
use super::line::{Quoting, Word};

/// Where PowerShell puts the line: its arguments to programs lose quotes on the way.
const LINE: &str = "CLAIMCTL_LINE";

/// The line up to the cursor.
#[derive(Debug, Default)]
pub struct Typed {
    /// As claimctl would be given them. The last one is to be completed.
    pub words: Vec<OsString>,
    /// The last word as it stands in the line.
    last: Word,
    /// How much of the end of the last word the shell replaces, in bytes.
    replaced: usize,
}

impl Typed {
    /// `arguments` are those behind `--` in the shell's script.
    pub fn of(shell: Shell, arguments: &[String]) -> Typed {
        let words = match (shell, arguments) {
            (Shell::Bash, [line, ..]) => Quoting::Posix.words(line),
            (Shell::Zsh, raw) => raw.iter().map(|word| only_word(Quoting::Posix, word)).collect(),
            // All but the last one without their quotes.
            (Shell::Fish, [before @ .., last]) => {
                before.iter().map(|word| unquoted(word)).chain([only_word(Quoting::Fish, last)]).collect()
            }
            (Shell::Powershell, _) => Quoting::PowerShell.words(&std::env::var(LINE).unwrap_or_default()),
            (_, words) => words.iter().map(|word| unquoted(word)).collect(),
        };
        let last = words.last().cloned().unwrap_or_default();
        let replaced = match (shell, arguments) {
            // Readline breaks words at colons and equals signs too.
            (Shell::Bash, [_, replaced, ..]) if last.typed.ends_with(replaced.as_str()) => replaced.len(),
            _ => last.typed.len(),
        };
        Typed { words: words.into_iter().map(|word| word.value.into()).collect(), last, replaced }
    }

    /// The answer to the shell: one candidate a line.
    pub fn answer(&self, shell: Shell, candidates: &[CompletionCandidate]) -> String {
        let lines = candidates.iter().filter_map(|candidate| {
            // A name that is no text, or breaks the line, cannot be typed this way.
            let value = candidate.get_value().to_str().filter(|value| !value.contains(char::is_control))?;
            let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
            self.line(shell, value, help.lines().next().unwrap_or_default())
        });
        lines.map(|line| line + "\n").collect()
    }

    fn line(&self, shell: Shell, value: &str, help: &str) -> Option<String> {
        Some(match shell {
            Shell::Bash => {
                let kept = &self.last.typed[..self.last.typed.len() - self.replaced];
                let kept = only_word(Quoting::Posix, kept).value;
                Quoting::Posix.escape(value.strip_prefix(&kept)?, self.last.open_quote)
            }
            Shell::Zsh => {
                let more_follows = if value.ends_with(['/', '=', ':']) { "+" } else { "=" };
                let described =
                    if help.is_empty() { String::new() } else { format!(":{}", help.replace('\\', "\\\\")) };
                format!("{more_follows}{}{described}", value.replace('\\', "\\\\").replace(':', "\\:"))
            }
            Shell::Fish if help.is_empty() => value.to_owned(),
            Shell::Fish => format!("{value}\t{help}"),
            Shell::Powershell => {
                let help = if help.is_empty() { value } else { help };
                format!("{}\t{value}\t{help}", Quoting::PowerShell.escape(value, None))
            }
            Shell::Elvish => value.to_owned(),
        })
    }
}

fn only_word(quoting: Quoting, typed: &str) -> Word {
    quoting.words(typed).into_iter().next().unwrap_or_default()
}

fn unquoted(word: &str) -> Word {
    Word { typed: word.to_owned(), value: word.to_owned(), open_quote: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(shell: Shell, arguments: &[&str], candidates: &[&str]) -> String {
        let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let candidates: Vec<_> = candidates.iter().map(|value| CompletionCandidate::new(*value)).collect();
        Typed::of(shell, &arguments).answer(shell, &candidates)
    }

    #[test]
    fn bash_is_given_what_it_puts_in_the_place_of_its_own_word() {
        for (line, own_word, candidate, put) in [
            ("claimctl upload my", "my", "my file", "my\\ file"),
            ("claimctl upload my\\ f", "my\\ f", "my file", "my\\ file"),
            ("claimctl upload \"my f", "my f", "my $file", "my \\$file"),
            ("claimctl upload 'my f", "my f", "my file", "my file"),
            ("claimctl upload \"my d\"/f", "/f", "my d/file", "/file"),
            ("claimctl upload x s3://cl", "//cl", "s3://claims/", "//claims/"),
            ("claimctl queue ls --env=l", "l", "--env=local", "local"),
            ("claimctl queue ls --env=", "", "--env=local", "local"),
            ("claimctl queue ls ", "", "--env", "--env"),
        ] {
            assert_eq!(answer(Shell::Bash, &[line, own_word], &[candidate]), format!("{put}\n"), "{line}");
        }
    }

    #[test]
    fn each_shell_is_answered_in_its_own_way() {
        let value = ["my file", "dir/", "a:b"];
        assert_eq!(answer(Shell::Zsh, &["claimctl", "upload", ""], &value), "=my file\n+dir/\n=a\\:b\n");
        assert_eq!(answer(Shell::Fish, &["claimctl", "upload", ""], &value), "my file\ndir/\na:b\n");
        assert_eq!(
            answer(Shell::Powershell, &[], &value),
            "my` file\tmy file\tmy file\ndir/\tdir/\tdir/\na:b\ta:b\ta:b\n"
        );
        assert_eq!(answer(Shell::Elvish, &["claimctl", ""], &value), "my file\ndir/\na:b\n");
    }

    #[test]
    fn a_name_that_breaks_the_line_is_not_offered() {
        assert_eq!(answer(Shell::Fish, &["claimctl", ""], &["a\nrm -rf", "b"]), "b\n");
    }
}
