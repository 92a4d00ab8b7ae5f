//! `claimctl man`: the manual pages, one for each verb.

use std::path::{Path, PathBuf};

use claimctl_core::error::{IoContext, Result};
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use serde::Serialize;

use super::Cli;
use crate::output::{Outcome, Page, Report, report};

/// Write the manual pages, one for each verb
///
/// Into a folder named man1 of the manual's path, such as ~/.local/share/man/man1: then `man claimctl` finds them.
#[derive(Debug, clap::Args)]
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
    let page = Man::new(command).manual("claimctl").source(concat!("claimctl ", env!("CARGO_PKG_VERSION")));
    let name = page.get_filename();
    let path = dir.join(&name);
    let mut text = Vec::new();
    page.render(&mut text).on("render", &path)?;
    std::fs::write(&path, text).on("write", &path)?;
    pages.push(name);
    verbs.into_iter().try_for_each(|verb| write(verb, dir, pages))
}

impl Report for Pages {
    fn page(&self) -> Page {
        Page::new().line(format!("{} pages in {}", self.pages.len(), self.dir.display()))
    }

    fn list(&self) -> Option<&'static str> {
        Some("pages")
    }
}
