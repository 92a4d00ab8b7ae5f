//! `claimctl man`: the manual pages, one for each verb.

use std::path::{Path, PathBuf};

use claimctl_core::error::{IoContext, Result};
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use serde::Serialize;

use super::{Cli, help};
use crate::output::{Outcome, Page, Report, report};

/// Write the manual pages, one for each verb
///
/// Into a folder named man1 of the manual's path, such as ~/.local/share/man/man1: then `man claimctl` finds them.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Where man finds them:
  claimctl man --dir ~/.local/share/man/man1
Into a package:
  claimctl man --dir usr/share/man/man1")]
pub struct Args {
    /// The folder; made where there is none
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

#[derive(Debug, Serialize)]
struct Pages {
    dir: PathBuf,
    /// File names, in the order of the verbs.
    pages: Vec<String>,
}

pub fn run(args: &Args) -> Result<Outcome> {
    std::fs::create_dir_all(&args.dir).on("create", &args.dir)?;
    let mut tree = Cli::command().disable_help_subcommand(true);
    tree.build();
    let mut pages = Vec::new();
    write(tree, &args.dir, &mut pages)?;
    report(Pages { dir: args.dir.clone(), pages })
}

fn write(command: Command, dir: &Path, pages: &mut Vec<String>) -> Result<()> {
    let verbs: Vec<_> = command.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned().collect();
    // As a section of the manual, not as clap_mangen's text behind everything else.
    let examples = help::examples(&command);
    let command = command.after_long_help(None::<&str>);
    let page = Man::new(command).manual("claimctl").source(concat!("claimctl ", env!("CARGO_PKG_VERSION")));
    let name = page.get_filename();
    let path = dir.join(&name);
    let mut text = Vec::new();
    page.render(&mut text).on("render", &path)?;
    text.extend(section(&examples).into_bytes());
    std::fs::write(&path, text).on("write", &path)?;
    pages.push(name);
    verbs.into_iter().try_for_each(|verb| write(verb, dir, pages))
}

/// Examples as roff: what each is for, and below it the command as it is typed, not filled (groff_man(7), EX).
fn section(examples: &[String]) -> String {
    let escaped = |text: &str| text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
    let mut section = ".SH EXAMPLES\n".to_owned();
    for line in examples {
        match line.strip_prefix("  ") {
            Some(command) => section.push_str(&format!(".RS 4\n.EX\n{}\n.EE\n.RE\n", escaped(command))),
            None => section.push_str(&format!(".PP\n{}\n", escaped(line))),
        }
    }
    section
}

impl Report for Pages {
    fn page(&self) -> Page {
        Page::new().line(format!("{} pages in {}", self.pages.len(), self.dir.display()))
    }

    fn list(&self) -> Option<&'static str> {
        Some("pages")
    }
}
