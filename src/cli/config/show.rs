//! `claimctl config show`: every value that holds, and where it came from.

use std::path::PathBuf;

use claimctl_core::error::{Error, Result};
use serde::Serialize;
use serde_json::Value;

use crate::config::{self, ChosenEnvironment, Config, LOCAL, ValueOrigin};
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, Table, report};
use crate::session::TargetArgs;

/// Show every value that holds, and where it came from
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
What holds, and why:
  claimctl config show
What would hold for an environment:
  claimctl config show --env prod")]
pub struct Args {
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Debug, Serialize)]
struct Shown {
    /// The file; none when there is no file here or above.
    path: Option<PathBuf>,
    values: Vec<Setting>,
}

#[derive(Debug, Serialize)]
struct Setting {
    /// The keys above, joined by dots, as TOML writes them.
    key: String,
    value: Value,
    #[serde(flatten)]
    origin: ValueOrigin,
}

pub fn run(args: &Args, ctx: &Ctx) -> Result<Outcome> {
    let mut config = Config::find(ctx)?;
    let choice = args.target.choose(ctx, &mut config)?;
    let chosen = chosen(ctx, args, &choice);
    if let ChosenEnvironment::Declared { name, environment } = choice {
        config.environments.insert(name, *environment);
    }
    let tree = serde_json::to_value(&config)
        .map_err(|error| Error::unexpected("the configuration has no JSON form").caused_by(error))?;
    let mut values = vec![chosen];
    flatten(&config, String::new(), tree, &mut values);
    for (key, path) in [("folders.cache", &ctx.paths.cache), ("folders.state", &ctx.paths.state)] {
        let origin = match ctx.variable("CLAIMCTL_HOME") {
            Some(_) => ValueOrigin::Variable { name: "CLAIMCTL_HOME" },
            None => ValueOrigin::Default,
        };
        values.push(Setting { key: key.to_owned(), value: path.display().to_string().into(), origin });
    }
    report(Shown { path: config.path, values })
}

/// The environment that a verb would use with the same flags.
fn chosen(ctx: &Ctx, args: &Args, choice: &ChosenEnvironment) -> Setting {
    let (value, origin) = match choice {
        ChosenEnvironment::ByFlags { .. } => (Value::Null, ValueOrigin::Flag { name: "--profile or --region" }),
        ChosenEnvironment::Local { .. } if args.target.env.is_none() => (LOCAL.into(), ValueOrigin::Default),
        ChosenEnvironment::Local { .. } => (LOCAL.into(), env_origin(ctx, args)),
        ChosenEnvironment::Declared { name, .. } => (name.as_str().into(), env_origin(ctx, args)),
    };
    Setting { key: "environment".to_owned(), value, origin }
}

/// The command line's parser has merged the two; a flag that repeats the variable changes nothing.
fn env_origin(ctx: &Ctx, args: &Args) -> ValueOrigin {
    match ctx.variable(config::ENV) == args.target.env.as_deref() {
        true => ValueOrigin::Variable { name: config::ENV },
        false => ValueOrigin::Flag { name: "--env" },
    }
}

/// Values only: what is not set has no origin to tell.
fn flatten(config: &Config, key: String, value: Value, into: &mut Vec<Setting>) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (name, member) in members {
                let key = if key.is_empty() { name } else { format!("{key}.{name}") };
                flatten(config, key, member, into);
            }
        }
        value => into.push(Setting { origin: config.origins.get(&key), key, value }),
    }
}

impl Shown {
    fn words(&self, origin: ValueOrigin) -> String {
        match origin {
            ValueOrigin::Flag { name } => format!("flag {name}"),
            ValueOrigin::Variable { name } => format!("variable {name}"),
            ValueOrigin::File { line, column } => {
                let file = self.path.as_ref().and_then(|path| path.file_name()).unwrap_or_default();
                format!("{}:{line}:{column}", file.display())
            }
            ValueOrigin::Default => "default".to_owned(),
        }
    }
}

impl Report for Shown {
    fn page(&self) -> Page {
        let mut table = Table::new(["KEY", "VALUE", "FROM"]);
        for setting in &self.values {
            let value = match &setting.value {
                Value::Null => "-".to_owned(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            table.row([setting.key.clone(), value, self.words(setting.origin)]);
        }
        let file = match &self.path {
            Some(path) => format!("file: {}", path.display()),
            None => format!("no {} here or above: claimctl init writes one", config::FILE_NAME),
        };
        Page::new().line(file).table(table)
    }

    fn list(&self) -> Option<&'static str> {
        Some("values")
    }
}
