//! What an argument can be: names from claimctl.toml, from the surfaces last seen and from the journal.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use claimctl_claim::s3_url::S3Url;
use claimctl_claim::surface::{Surface, Surfaces};
use claimctl_core::cancel::Cancel;
use claimctl_core::context::Paths;
use claimctl_deploy::terraform;
use claimctl_queues::journal::Journal;
use clap_complete::CompletionCandidate;
use clap_complete::engine::{PathCompleter, ValueCompleter};

use crate::config::{self, Config, LOCAL};
use crate::context::{ColorChoice, Ctx, Format, OutputOptions, Verbs};
use crate::session::LastSurfaces;
use crate::stacks;

/// What a value names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Environment,
    Stack,
    Flow,
    Bucket,
    /// Paths, and buckets by their real names as `s3://BUCKET/`: what `upload` takes.
    Payload,
    Topic,
    Queue,
    Table,
    Database,
    Function,
    /// By its own name, or by that of a stack that has one.
    Api,
    Run,
}

impl Kind {
    /// By the name that the value has in the help.
    pub fn named(value: &str) -> Option<Kind> {
        Some(match value {
            "ENV" => Kind::Environment,
            "STACK" => Kind::Stack,
            "FLOW" => Kind::Flow,
            "BUCKET" => Kind::Bucket,
            "PATHS" => Kind::Payload,
            "TOPIC" => Kind::Topic,
            "QUEUE" => Kind::Queue,
            "TABLE" => Kind::Table,
            "DATABASE" => Kind::Database,
            "FUNCTION" | "HANDLER" => Kind::Function,
            "API" => Kind::Api,
            "RUN" => Kind::Run,
            _ => return None,
        })
    }

    /// The values that begin with this word of the line.
    pub fn like(self, word: &OsStr, line: &[OsString]) -> Vec<CompletionCandidate> {
        let mut found = match self {
            Kind::Payload => PathCompleter::any().stdio().complete(word),
            _ => Vec::new(),
        };
        if let (Some(word), Some(known)) = (word.to_str(), Known::here(line)) {
            let named = known.values(self).into_iter().filter(|(name, _)| name.starts_with(word));
            found.extend(named.map(|(name, what)| CompletionCandidate::new(name).help(Some(what.into()))));
        }
        found
    }
}

/// What is known on this machine about the environment that the typed line names.
struct Known {
    config: Config,
    surfaces: Surfaces,
    paths: Paths,
    /// Whether the line is about the sandbox's own stacks.
    is_of_sandbox: bool,
}

impl Known {
    fn here(line: &[OsString]) -> Option<Known> {
        let options =
            OutputOptions { format: Format::Text, color: ColorChoice::Never, quiet: true, verbose: 0, yes: false };
        let ctx = Ctx::new(options, Cancel::default(), Verbs::unknown()).ok()?;
        // A file that cannot be read now may be read tomorrow; what was seen is known without it.
        let config = Config::find(&ctx).unwrap_or_default();
        let typed = environment_in(line.iter().cloned());
        let environment = typed.or_else(|| ctx.variable(config::ENV).map(str::to_owned));
        let environment = environment.unwrap_or_else(|| LOCAL.to_owned());
        let exists = environment == LOCAL || config.environments.contains_key(&environment);
        let surfaces = match exists {
            true => LastSurfaces::at(&ctx.paths, &config.project.name, &environment).surfaces(),
            false => Surfaces::default(),
        };
        Some(Known { config, surfaces, paths: ctx.paths.clone(), is_of_sandbox: is_of_sandbox(line) })
    }

    /// Names, each with a few words on what it is.
    fn values(&self, kind: Kind) -> BTreeMap<String, String> {
        match kind {
            Kind::Environment => self.environments(),
            Kind::Stack => {
                let mut stacks: BTreeMap<_, _> = match self.is_of_sandbox {
                    true => stacks::ALL.iter().map(|stack| (stack.name.to_owned(), stack.summary.to_owned())).collect(),
                    false => {
                        let there = terraform::stacks_of(&self.config.project()).unwrap_or_default();
                        let systems = terraform::systems(&there).into_iter();
                        let systems = systems.map(|name| (name, "all its parts".to_owned()));
                        let there = there.iter().map(|name| (name.clone(), "in the project".to_owned()));
                        systems.chain(there).collect()
                    }
                };
                for surface in &self.surfaces.0 {
                    stacks.insert(surface.stack.clone(), "deployed".to_owned());
                }
                stacks
            }
            Kind::Flow => self.of_stacks(|surface| surface.flows.iter().map(|flow| flow.name.as_str()).collect()),
            Kind::Bucket => self.of_stacks(|surface| surface.buckets.keys().map(String::as_str).collect()),
            Kind::Payload => self.s3_urls(),
            Kind::Topic => self.of_stacks(|surface| surface.topics.keys().map(String::as_str).collect()),
            Kind::Queue => self.of_stacks(|surface| surface.queues.keys().map(String::as_str).collect()),
            Kind::Table => self.of_stacks(|surface| surface.tables.keys().map(String::as_str).collect()),
            Kind::Database => self.of_stacks(|surface| surface.databases.keys().map(String::as_str).collect()),
            Kind::Function => {
                let declared = self.config.functions.keys().map(|name| (name.clone(), "in claimctl.toml".to_owned()));
                let mut functions: BTreeMap<_, _> = declared.collect();
                functions.extend(self.of_stacks(|surface| surface.functions.keys().map(String::as_str).collect()));
                functions
            }
            Kind::Api => {
                let with_apis = self.surfaces.0.iter().filter(|surface| !surface.apis.is_empty());
                let stacks = with_apis.map(|surface| (surface.stack.clone(), "by the path's first part".to_owned()));
                let mut apis = self.of_stacks(|surface| surface.apis.keys().map(String::as_str).collect());
                apis.extend(stacks);
                apis
            }
            Kind::Run => self.runs().unwrap_or_default(),
        }
    }

    fn s3_urls(&self) -> BTreeMap<String, String> {
        let buckets = self.surfaces.0.iter().flat_map(|surface| {
            surface.buckets.iter().map(move |(logical, bucket)| {
                let url = S3Url { bucket: &bucket.name, key: "" };
                (url.to_string(), format!("{logical} of stack {}", surface.stack))
            })
        });
        buckets.collect()
    }

    fn runs(&self) -> Option<BTreeMap<String, String>> {
        let journal = Journal::existing(&self.paths, &self.config.project.name).ok()??;
        let runs = journal.runs().ok()?;
        Some(
            runs.into_iter()
                .map(|run| (run.id, format!("{} {}, {}", run.verb, run.target, run.standing.name())))
                .collect(),
        )
    }

    fn environments(&self) -> BTreeMap<String, String> {
        let declared = self.config.environments.iter().map(|(name, environment)| {
            let protected = if environment.protected { ", protected" } else { "" };
            (name.clone(), format!("{}{protected}", environment.region))
        });
        declared.chain([(LOCAL.to_owned(), "the sandbox on this machine".to_owned())]).collect()
    }

    /// Logical names; with the stack in front where two stacks have the same.
    fn of_stacks(&self, names: impl Fn(&Surface) -> Vec<&str>) -> BTreeMap<String, String> {
        let mut owners: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for surface in &self.surfaces.0 {
            names(surface).into_iter().for_each(|name| owners.entry(name).or_default().push(&surface.stack));
        }
        let named = owners.into_iter().flat_map(|(name, stacks)| {
            let several = stacks.len() > 1;
            stacks.into_iter().map(move |stack| {
                let name = if several { format!("{stack}/{name}") } else { name.to_owned() };
                (name, format!("in stack {stack}"))
            })
        });
        named.collect()
    }
}

/// The environment that the words of the typed line name.
fn environment_in(words: impl Iterator<Item = OsString>) -> Option<String> {
    let mut words = words.filter_map(|word| word.into_string().ok());
    let mut found = None;
    while let Some(word) = words.next() {
        if word == "--env" || word == "-e" {
            found = words.next();
        } else if let Some(name) = word.strip_prefix("--env=") {
            found = Some(name.to_owned());
        }
    }
    found
}

/// Whether the verb of the typed line works on the stacks of the sandbox.
fn is_of_sandbox(words: &[OsString]) -> bool {
    let verb = words.iter().skip(1).find(|word| !word.as_encoded_bytes().starts_with(b"-"));
    verb.is_some_and(|verb| verb == "local" || verb == "demo")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use super::*;

    fn surface(stack: &str, queues: &[&str]) -> Surface {
        let queues: BTreeMap<_, _> =
            queues.iter().map(|name| (*name, serde_json::json!({ "url": "u", "arn": "a" }))).collect();
        let json = serde_json::json!({
            "version": 1, "stack": stack, "environment": "dev", "region": "r", "account": "a", "queues": queues,
        });
        Surface::parse(&json.to_string()).unwrap()
    }

    #[test]
    fn a_name_of_two_stacks_is_offered_as_it_must_be_typed() {
        let surfaces = Surfaces(vec![surface("one", &["claims", "rows"]), surface("two", &["claims"])]);
        let paths = Paths { cache: PathBuf::new(), state: PathBuf::new() };
        let known = Known { config: Config::default(), surfaces, paths, is_of_sandbox: false };
        let names: Vec<_> = known.values(Kind::Queue).into_keys().collect();
        assert_eq!(names, ["one/claims", "rows", "two/claims"]);
        assert_eq!(known.values(Kind::Stack).into_keys().collect::<Vec<_>>(), ["one", "two"]);
    }

    #[test]
    fn the_stacks_of_the_sandbox_are_the_ones_that_are_built_in() {
        let of = |line: &str| is_of_sandbox(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert!(of("claimctl local up ") && of("claimctl -q demo ") && !of("claimctl deploy local"));
        let paths = Paths { cache: PathBuf::new(), state: PathBuf::new() };
        let known = Known { config: Config::default(), surfaces: Surfaces::default(), paths, is_of_sandbox: true };
        let names: BTreeSet<_> = known.values(Kind::Stack).into_keys().collect();
        assert_eq!(names, stacks::ALL.iter().map(|stack| stack.name.to_owned()).collect());
    }

    #[test]
    fn the_environment_is_read_from_the_line_in_every_form() {
        let find = |line: &str| environment_in(line.split(' ').map(OsString::from));
        assert_eq!(find("claimctl queue peek --env dev cl"), Some("dev".to_owned()));
        assert_eq!(find("claimctl queue peek -e dev --env=prod cl"), Some("prod".to_owned()));
        assert_eq!(find("claimctl queue peek cl"), None);
    }
}
