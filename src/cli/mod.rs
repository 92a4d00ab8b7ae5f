//! The command tree: one file per verb, its arguments beside its run function.

mod bootstrap;
mod claim;
mod completions;
mod config;
mod demo;
mod deploy;
mod destroy;
mod dlq;
mod doctor;
mod drift;
mod env;
mod function;
mod init;
mod local;
mod log;
mod man;
mod output;
mod package;
mod plan;
mod policy;
mod queue;
mod runs;
mod select;
mod stack;
mod state;
mod upload;
mod values;
mod verify;

use claimctl_core::error::Result;
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand};

use crate::context::{ColorChoice, Ctx, Format, OutputOptions};
use crate::output::Outcome;
use crate::session::Session;

/// Operate claim-check pipelines on AWS: payloads in S3, claims in SQS, records in a table
#[derive(Debug, Parser)]
#[command(name = "claimctl", version, max_term_width = 100, subcommand_required = true)]
#[command(arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    output: OutputArgs,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
struct OutputArgs {
    /// How to print the result
    #[arg(
        short,
        long,
        env = "CLAIMCTL_OUTPUT",
        hide_env_values = true,
        value_name = "FORMAT",
        default_value = "table",
        global = true
    )]
    output: Format,
    /// Colour on a terminal; NO_COLOR is respected
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    color: ColorChoice,
    /// No progress, no notes: only the result and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say what is done; twice: every call
    #[arg(short, long, action = ArgAction::Count, global = true)]
    verbose: u8,
    /// Answer yes where a change asks for confirmation
    #[arg(short, long, env = "CLAIMCTL_YES", hide_env_values = true, global = true, value_parser = clap::builder::FalseyValueParser::new())]
    yes: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Demo(demo::Args),
    Init(init::Args),
    /// Look into claimctl.toml
    #[command(subcommand)]
    Config(config::Verb),
    /// The environments, and whose account each leads to
    #[command(subcommand)]
    Env(env::Verb),
    /// Build the Lambda handlers
    #[command(subcommand)]
    Package(package::Verb),
    /// The sandbox: a real AWS-compatible server on this machine
    #[command(subcommand)]
    Local(local::Verb),
    /// Look into queues
    #[command(subcommand)]
    Queue(queue::Verb),
    /// Dead letters: what they are, and what can be done with them
    #[command(subcommand)]
    Dlq(dlq::Verb),
    /// Pause and resume the functions that work on queues
    #[command(subcommand)]
    Function(function::Verb),
    /// From a claim to its payload
    #[command(subcommand)]
    Claim(claim::Verb),
    Bootstrap(bootstrap::Args),
    Plan(Box<plan::Args>),
    Deploy(Box<deploy::Args>),
    Destroy(Box<destroy::Args>),
    Drift(drift::Args),
    Output(output::Args),
    /// The states that Terraform keeps of what it deployed
    #[command(subcommand)]
    State(state::Verb),
    Upload(Box<upload::Args>),
    Verify(Box<verify::Args>),
    Doctor(Box<doctor::Args>),
    /// The journal: runs on this machine that can be gone on with
    #[command(subcommand)]
    Runs(runs::Verb),
    Log(log::Args),
    Completions(completions::Args),
    Man(man::Args),
}

impl Cli {
    pub fn options(&self) -> OutputOptions {
        OutputOptions {
            format: self.output.output,
            color: self.output.color,
            quiet: self.output.quiet,
            verbose: self.output.verbose,
            yes: self.output.yes,
        }
    }
}

/// Whether the verb of a command, given by its words, takes the flags that lead to an environment.
pub fn takes_target(words: &[String]) -> bool {
    let mut command = Cli::command();
    for word in words {
        match command.find_subcommand(word) {
            Some(verb) => command = verb.clone(),
            None => break,
        }
    }
    command.get_arguments().any(|argument| argument.get_long() == Some("endpoint-url"))
}

pub async fn run(cli: Cli, ctx: &Ctx) -> Result<Outcome> {
    match cli.verb {
        Verb::Demo(args) => demo::run(&args, ctx).await,
        Verb::Init(args) => init::run(&args, ctx),
        Verb::Config(verb) => config::run(verb, ctx).await,
        Verb::Env(verb) => env::run(verb, ctx).await,
        Verb::Package(verb) => package::run(verb, ctx).await,
        Verb::Local(verb) => local::run(verb, ctx).await,
        Verb::Queue(verb) => queue::run(verb, ctx).await,
        Verb::Dlq(verb) => dlq::run(verb, ctx).await,
        Verb::Function(verb) => function::run(verb, ctx).await,
        Verb::Claim(verb) => claim::run(verb, ctx).await,
        Verb::Bootstrap(args) => bootstrap::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Plan(args) => plan::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Deploy(args) => deploy::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Destroy(args) => destroy::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Drift(args) => drift::run(&args, ctx).await,
        Verb::Output(args) => output::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::State(verb) => state::run(verb, ctx).await,
        Verb::Upload(args) => upload::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Verify(args) => verify::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Doctor(args) => doctor::run(&args, ctx).await,
        Verb::Runs(verb) => runs::run(verb, ctx),
        Verb::Log(args) => log::run(&args, ctx),
        Verb::Completions(args) => completions::run(&args),
        Verb::Man(args) => man::run(&args),
    }
}
