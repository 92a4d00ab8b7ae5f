//! The command tree: one file per verb, its arguments beside its run function.

mod api;
mod bootstrap;
mod claim;
mod cleanup;
mod completions;
mod config;
mod db;
mod demo;
mod deploy;
mod destroy;
mod dlq;
mod doctor;
mod drift;
mod env;
mod function;
mod generate;
pub mod help;
mod init;
mod local;
mod log;
mod man;
mod next;
mod output;
mod package;
mod place;
mod plan;
mod policy;
mod queue;
mod records;
mod runs;
mod select;
mod stack;
mod state;
mod upload;
mod uploads;
mod values;
mod verify;

use std::ffi::OsStr;

use claimctl_core::error::Result;
use clap::builder::{FalseyValueParser, Resettable};
use clap::{ArgAction, Args, Command, CommandFactory, FromArgMatches, Parser, Subcommand};

use self::help::Group;
pub use self::next::VERBS;
use crate::context::{ColorChoice, Ctx, Format, OutputOptions};
use crate::output::Outcome;
use crate::session::Session;

/// Operate claim-check pipelines on AWS: payloads in S3, claims in SQS, records in a table
#[derive(Debug, Parser)]
#[command(name = "claimctl", version, max_term_width = 100, subcommand_required = true)]
#[command(arg_required_else_help = true, disable_help_flag = true, disable_version_flag = true)]
#[command(after_long_help = "\
All of it at work, on this machine:
  claimctl demo
A sandbox to try things in:
  claimctl local up
Payloads into the pipeline, and the proof that each has left its record:
  claimctl upload payloads
  claimctl verify --wait 30s")]
pub struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version, hide_short_help = true)]
    version: Option<bool>,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb takes. `-h` only names these.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
struct GlobalArgs {
    /// How to print the result
    #[arg(short, long, global = true, hide_short_help = true, value_name = "FORMAT", default_value = "table")]
    #[arg(env = "CLAIMCTL_OUTPUT", hide_env_values = true)]
    output: Format,
    /// Colour on a terminal; NO_COLOR is respected
    #[arg(long, global = true, hide_short_help = true, value_name = "WHEN", default_value = "auto")]
    color: ColorChoice,
    /// No progress, no notes: only the result and errors
    #[arg(short, long, global = true, hide_short_help = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say what is done; twice: every call
    #[arg(short, long, global = true, hide_short_help = true, action = ArgAction::Count)]
    verbose: u8,
    /// Answer yes where a change asks for confirmation
    #[arg(short, long, global = true, hide_short_help = true, value_parser = FalseyValueParser::new())]
    #[arg(env = "CLAIMCTL_YES", hide_env_values = true)]
    yes: bool,
    /// Print help: everything, or with -h what fits a screen
    #[arg(short, long, global = true, hide_short_help = true, action = ArgAction::Help)]
    help: Option<bool>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    #[command(display_order = Group::Begin as usize)]
    Demo(demo::Args),
    #[command(display_order = Group::Begin as usize)]
    Init(init::Args),
    #[command(display_order = Group::Begin as usize)]
    Doctor(Box<doctor::Args>),
    #[command(display_order = Group::Payloads as usize)]
    Upload(Box<upload::Args>),
    /// Multipart uploads that are not complete
    #[command(subcommand, display_order = Group::Payloads as usize)]
    Uploads(uploads::Verb),
    /// From a claim to its payload
    #[command(subcommand, display_order = Group::Payloads as usize)]
    Claim(claim::Verb),
    #[command(display_order = Group::Payloads as usize)]
    Verify(Box<verify::Args>),
    #[command(display_order = Group::Payloads as usize)]
    Cleanup(Box<cleanup::Args>),
    /// What the flows have recorded
    #[command(subcommand, display_order = Group::Payloads as usize)]
    Records(records::Verb),
    /// Sample files to try a pipeline with
    #[command(subcommand, display_order = Group::Payloads as usize)]
    Generate(generate::Verb),
    /// Look into queues, drain them, send to them
    #[command(subcommand, display_order = Group::Queues as usize)]
    Queue(queue::Verb),
    /// Dead letters: what they are, and what can be done with them
    #[command(subcommand, display_order = Group::Queues as usize)]
    Dlq(dlq::Verb),
    /// The functions that work on queues: listed, read, invoked, paused
    #[command(subcommand, display_order = Group::Queues as usize)]
    Function(function::Verb),
    /// Requests to the APIs of stacks, signed
    #[command(subcommand, display_order = Group::Queues as usize)]
    Api(api::Verb),
    /// The environments, and whose account each leads to
    #[command(subcommand, display_order = Group::Infrastructure as usize)]
    Env(env::Verb),
    /// Look into claimctl.toml
    #[command(subcommand, display_order = Group::Infrastructure as usize)]
    Config(config::Verb),
    #[command(display_order = Group::Infrastructure as usize)]
    Bootstrap(bootstrap::Args),
    /// Build the Lambda handlers
    #[command(subcommand, display_order = Group::Infrastructure as usize)]
    Package(package::Verb),
    #[command(display_order = Group::Infrastructure as usize)]
    Plan(Box<plan::Args>),
    #[command(display_order = Group::Infrastructure as usize)]
    Deploy(Box<deploy::Args>),
    #[command(display_order = Group::Infrastructure as usize)]
    Destroy(Box<destroy::Args>),
    #[command(display_order = Group::Infrastructure as usize)]
    Drift(drift::Args),
    #[command(display_order = Group::Infrastructure as usize)]
    Output(output::Args),
    /// The tables of the databases that stacks end in
    #[command(subcommand, display_order = Group::Infrastructure as usize)]
    Db(db::Verb),
    /// The states that Terraform keeps of what it deployed
    #[command(subcommand, display_order = Group::Infrastructure as usize)]
    State(state::Verb),
    /// The sandbox: a real AWS-compatible server on this machine
    #[command(subcommand, display_order = Group::Machine as usize)]
    Local(local::Verb),
    /// The journal: runs on this machine that can be gone on with
    #[command(subcommand, display_order = Group::Machine as usize)]
    Runs(runs::Verb),
    #[command(display_order = Group::Machine as usize)]
    Log(log::Args),
    #[command(display_order = Group::Machine as usize)]
    Completions(completions::Args),
    #[command(display_order = Group::Machine as usize)]
    Man(man::Args),
}

impl Cli {
    pub fn options(&self) -> OutputOptions {
        OutputOptions {
            format: self.global.output,
            color: self.global.color,
            quiet: self.global.quiet,
            verbose: self.global.verbose,
            yes: self.global.yes,
        }
    }
}

/// The command tree, with the help that operators read.
pub fn command() -> Command {
    help::dress(tree())
}

/// The command tree as it is parsed by.
fn tree() -> Command {
    without_empty_variables(Cli::command())
}

/// A variable that is set and empty is not set: CI sets them so. clap would take the empty text for the value.
fn without_empty_variables(command: Command) -> Command {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    command
        .mut_args(|argument| match argument.get_env().is_some_and(is_empty) {
            true => argument.env(Resettable::Reset),
            false => argument,
        })
        .mut_subcommands(without_empty_variables)
}

/// Reads the command line; ends the process where that is help or an error.
pub fn parse() -> Cli {
    let mut command = command();
    let matches = command.get_matches_mut();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit())
}

pub async fn run(cli: Cli, ctx: &Ctx) -> Result<Outcome> {
    match cli.verb {
        Verb::Demo(args) => demo::run(&args, ctx).await,
        Verb::Init(args) => init::run(&args, ctx).await,
        Verb::Config(verb) => config::run(verb, ctx).await,
        Verb::Env(verb) => env::run(verb, ctx).await,
        Verb::Package(verb) => package::run(verb, ctx).await,
        Verb::Local(verb) => local::run(verb, ctx).await,
        Verb::Queue(verb) => queue::run(verb, ctx).await,
        Verb::Dlq(verb) => dlq::run(verb, ctx).await,
        Verb::Function(verb) => function::run(verb, ctx).await,
        Verb::Api(verb) => api::run(verb, ctx).await,
        Verb::Claim(verb) => claim::run(verb, ctx).await,
        Verb::Generate(verb) => generate::run(verb, ctx),
        Verb::Bootstrap(args) => bootstrap::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Plan(args) => plan::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Deploy(args) => deploy::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Destroy(args) => destroy::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Drift(args) => drift::run(&args, ctx).await,
        Verb::Output(args) => output::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Db(verb) => db::run(verb, ctx).await,
        Verb::State(verb) => state::run(verb, ctx).await,
        Verb::Upload(args) => upload::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Uploads(verb) => uploads::run(verb, ctx).await,
        Verb::Verify(args) => verify::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Cleanup(args) => cleanup::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Records(verb) => records::run(verb, ctx).await,
        Verb::Doctor(args) => doctor::run(&args, ctx).await,
        Verb::Runs(verb) => runs::run(verb, ctx),
        Verb::Log(args) => log::run(&args, ctx),
        Verb::Completions(args) => completions::run(&args),
        Verb::Man(args) => man::run(&args),
    }
}
