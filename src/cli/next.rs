//! What the tree of verbs has to say on commands that operators are told to run next.

use claimctl_core::next::joined;
use clap::{Arg, ArgAction, Command};

use super::tree;
use crate::context::Verbs;

pub const VERBS: Verbs = Verbs { takes_target_flags, again, refusal };

fn takes_target_flags(words: &[String]) -> bool {
    verb_of(words).get_arguments().any(|argument| argument.get_long() == Some("endpoint-url"))
}

/// The line that was typed with more behind it. A flag that may be given once takes the place of the one that was typed.
fn again(typed: &[String], more: &[String]) -> Vec<String> {
    let verb = verb_of(typed);
    let replaced = verb.get_arguments().filter(|argument| {
        let long = argument.get_long().map(|long| format!("--{long}"));
        let is_given_once = matches!(argument.get_action(), ArgAction::Set | ArgAction::SetTrue);
        is_given_once && long.is_some_and(|long| more.contains(&long))
    });
    joined(&replaced.fold(typed.to_vec(), |typed, argument| without(&typed, argument)), more)
}

fn without(typed: &[String], argument: &Arg) -> Vec<String> {
    let long = argument.get_long().map(|long| format!("--{long}")).unwrap_or_default();
    let short = argument.get_short().map(|short| format!("-{short}"));
    let takes_value = argument.get_action().takes_values();
    let mut words = typed.iter();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        if word == "--" {
            kept.push(word.clone());
            kept.extend(words.cloned());
            break;
        }
        let is_it = *word == long || Some(word) == short.as_ref();
        let holds_value = word.starts_with(&format!("{long}="))
            || takes_value && short.as_ref().is_some_and(|short| word.starts_with(short));
        match (is_it, takes_value) {
            (true, true) => _ = words.next(),
            (true, false) => {}
            (false, _) if holds_value => {}
            (false, _) => kept.push(word.clone()),
        }
    }
    kept
}

fn refusal(words: &[String]) -> Option<String> {
    tree().try_get_matches_from(with_name(words)).err().map(|error| error.to_string())
}

/// The verb that a line names, whatever flags stand before it.
fn verb_of(words: &[String]) -> Command {
    let mut verb = tree().ignore_errors(true);
    let Ok(matches) = verb.try_get_matches_from_mut(with_name(words)) else { return verb };
    let mut matches = &matches;
    while let Some((name, of_verb)) = matches.subcommand() {
        let Some(found) = verb.find_subcommand(name).cloned() else { break };
        verb = found;
        matches = of_verb;
    }
    verb
}

fn with_name(words: &[String]) -> impl Iterator<Item = &str> {
    std::iter::once("claimctl").chain(words.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_flag_that_is_given_once_takes_the_place_of_the_typed_one() {
        for (typed, more, line) in [
            ("dlq replay dead --to q --yes", "--to other", "dlq replay dead --yes --to other"),
            ("-q dlq replay --to=q dead", "--to other", "-q dlq replay dead --to other"),
            ("--output json upload f -b x", "--bucket y", "--output json upload f --bucket y"),
            ("upload f -bx --exclude a", "--bucket y --exclude b", "upload f --exclude a --bucket y --exclude b"),
            ("queue peek q --force", "--force", "queue peek q --force"),
            ("deploy s --var a=1 -- -lock=false", "--var b=2", "deploy s --var a=1 --var b=2 -- -lock=false"),
            ("plan s -- --plan-file x", "--plan-file p", "plan s --plan-file p -- --plan-file x"),
        ] {
            let again = again(&words(typed), &words(more));
            assert_eq!(again, words(line), "{typed}");
            assert_eq!(refusal(&again), None, "{line}");
        }
    }

    #[test]
    fn the_verb_tells_whether_it_takes_the_flags_of_an_environment() {
        assert!(takes_target_flags(&words("queue peek claims")) && takes_target_flags(&words("env show")));
        assert!(!takes_target_flags(&words("local up")) && !takes_target_flags(&words("runs ls")));
    }
}
