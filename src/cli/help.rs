//! How help reads: verbs by what they are for, `-h` on one screen, examples at the end of `--help`.
//!
//! All of it is made from the command tree. A flag that most lines are typed without is hidden from `-h` where it is
//! declared (`hide_short_help`), and named in its last line; a verb's examples are its `after_long_help`.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command};

/// What a verb is for, as its `display_order`. `claimctl --help` lists the verbs in this order, under these headings.
///
/// clap numbers verbs without an order from 0, so these begin where no number of a verb comes to.
#[derive(Debug, Clone, Copy)]
pub enum Group {
    Begin = 100,
    Payloads,
    Queues,
    Infrastructure,
    Machine,
}

impl Group {
    const HEADINGS: [&str; 5] = ["Begin", "Payloads", "Queues and dead letters", "Infrastructure", "This machine"];

    fn heading(verb: &Command) -> Option<&'static str> {
        let index = verb.get_display_order().checked_sub(Group::Begin as usize)?;
        Group::HEADINGS.get(index).copied()
    }
}

/// The command tree with the help that operators read.
pub fn dress(root: Command) -> Command {
    let everywhere = hidden(&root, Arg::is_global_set);
    dress_verb(root, &everywhere)
}

/// A verb's own examples: commands, each below a line on what it is for. Those of a verb of verbs are the first of each.
pub fn examples(command: &Command) -> Vec<String> {
    match command.get_after_long_help() {
        Some(own) => own.to_string().lines().map(str::to_owned).collect(),
        None => command.get_subcommands().flat_map(|verb| examples(verb).into_iter().take(2)).collect(),
    }
}

fn dress_verb(command: Command, everywhere: &[String]) -> Command {
    let header = *command.get_styles().get_header();
    let mut also = hidden(&command, |flag| !flag.is_global_set());
    also.extend_from_slice(everywhere);
    let mut shown = format!("{header}Examples:{header:#}");
    for line in examples(&command) {
        let _ = write!(shown, "\n  {line}");
    }
    let mut command = command.after_help(format!("Also: {}; see --help", also.join(", "))).after_long_help(shown);
    if command.has_subcommands() {
        // The list in the place of clap's, which knows no headings; {before-help} is there in the long form only.
        let template = format!(
            "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{}{{before-help}}{{options}}{{after-help}}",
            list(&command)
        );
        command = command.before_long_help(format!("\n\n{header}Global options:{header:#}")).help_template(template);
    }
    command.mut_subcommands(|verb| dress_verb(verb, everywhere))
}

/// The flags that `-h` does not describe, as they are typed: by letter where they have one.
fn hidden(command: &Command, which: impl Fn(&Arg) -> bool) -> Vec<String> {
    let flags = command.get_arguments().filter(|flag| which(flag) && flag.is_hide_short_help_set());
    let flags = flags.filter(|flag| !matches!(flag.get_action(), ArgAction::Help));
    flags
        .filter_map(|flag| match (flag.get_short(), flag.get_long()) {
            (Some(letter), _) => Some(format!("-{letter}")),
            (None, long) => long.map(|long| format!("--{long}")),
        })
        .collect()
}

/// The verbs below a command, each with its summary, under the headings of their groups.
fn list(command: &Command) -> String {
    let (header, literal) = (command.get_styles().get_header(), command.get_styles().get_literal());
    let verbs: Vec<_> = command.get_subcommands().filter(|verb| !verb.is_hide_set()).collect();
    let width = verbs.iter().map(|verb| verb.get_name().len()).max().unwrap_or_default();
    let headings = Group::HEADINGS.into_iter().map(Some).chain([None]);
    let sections = headings.filter_map(|heading| {
        let mut verbs = verbs.iter().filter(|verb| Group::heading(verb) == heading).peekable();
        verbs.peek()?;
        let mut section = format!("{header}{}:{header:#}", heading.unwrap_or("Commands"));
        for verb in verbs {
            let summary = verb.get_about().map(ToString::to_string).unwrap_or_default();
            let name = verb.get_name();
            let _ = write!(section, "\n  {literal}{name}{literal:#}{:gap$}{summary}", "", gap = width + 2 - name.len());
        }
        Some(section)
    });
    sections.collect::<Vec<_>>().join("\n\n")
}
