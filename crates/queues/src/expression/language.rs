//! jq as an expression may use it: without the process's environment, other inputs, stderr or an exit.

use claimctl_core::error::{Error, Result};
use jaq_core::data::{DataT, HasLut};
use jaq_core::load::{self, Arena, File, Loader};
use jaq_core::native::{self, Fun, v};
use jaq_core::{Compiler, Ctx, Error as Failure, Filter, Lut, ValT, Vars, compile, unwrap_valr};
use jaq_json::Val;
use jaq_std::ValT as _;

use super::EXAMPLE;
use super::watch::Watch;

/// Built-in filters that reach beyond the message. `env` would show credentials.
const LEFT_OUT: [&str; 7] = ["env", "halt", "halt_error", "debug", "debug_empty", "stderr", "stderr_empty"];

/// Written in jq, so that a range without end is seen step by step. The name it replaces makes its values in one step.
const RANGE: &str = "
    def range($from; $to; $by):
        def rec: if if $by > 0 then . < $to elif $by < 0 then . > $to else . != $to end
            then ., (. + $by | rec) else {}[] as $x | . end;
        $from | rec;";

pub struct Language;

impl DataT for Language {
    type V<'a> = Val;
    type Data<'a> = Run<'a>;
}

/// What every step of an evaluation carries with it.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    lut: &'a Lut<Language>,
    watch: &'a Watch<'a>,
}

impl<'a> HasLut<'a, Language> for Run<'a> {
    fn lut(&self) -> &'a Lut<Language> {
        self.watch.step();
        self.lut
    }
}

pub fn compile(code: &str) -> Result<Filter<Language>> {
    let range = load::parse(RANGE, |parser| parser.defs()).unwrap_or_default();
    let prelude = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let loader = Loader::new(range.into_iter().chain(prelude).filter(|def| !LEFT_OUT.contains(&def.name)));
    let arena = Arena::default();
    let modules = loader.load(&arena, File { code, path: () }).map_err(|errors| not_parsed(code, &errors))?;
    Compiler::default().with_funs(natives()).compile(modules).map_err(|errors| undefined(code, &errors))
}

fn natives() -> impl Iterator<Item = Fun<Language>> {
    let all = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    all.filter(|(name, ..)| !LEFT_OUT.contains(name) && !["range", "fromjson"].contains(name)).chain([native::run((
        "fromjson",
        v(0),
        |(_, value): (_, Val)| native::bome(from_json(&value)),
    ))])
}

/// jq's `fromjson`. The library's own recurses once for each bracket, and a body may be a million of them.
fn from_json(value: &Val) -> Result<Val, Failure<Val>> {
    let text = value.try_as_utf8_bytes()?;
    serde_json::from_slice(text).map_err(|error| Failure::str(format_args!("not JSON: {error}")))
}

/// The first output of `filter` on a message in JSON, or jq's own error.
pub fn first(filter: &Filter<Language>, watch: &Watch<'_>, message: &str) -> Result<Option<Val>, String> {
    let input: Val = serde_json::from_str(message).map_err(|error| error.to_string())?;
    let context = Ctx::<Language>::new(Run { lut: &filter.lut, watch }, Vars::new([]));
    let mut outputs = filter.id.run((context, input)).map(unwrap_valr);
    outputs.next().transpose().map_err(|error| error.to_string())
}

pub fn is_true(value: &Val) -> bool {
    value.as_bool()
}

/// A string as it is, anything else as JSON.
pub fn text(value: &Val) -> String {
    match value.as_utf8_bytes() {
        Some(text) => String::from_utf8_lossy(text).into_owned(),
        None => value.to_string(),
    }
}

fn not_parsed(code: &str, errors: &load::Errors<&str, ()>) -> Error {
    let at = |part: &str| if part.is_empty() { code.len() } else { load::span(code, part).start };
    let found = errors.iter().find_map(|(_, error)| match error {
        load::Error::Lex(errors) => {
            errors.first().map(|(expected, part)| (at(part), format!("{} is expected here", expected.as_str())))
        }
        load::Error::Parse(errors) => {
            errors.first().map(|(expected, part)| (at(part), format!("{} is expected here", expected.as_str())))
        }
        load::Error::Io(errors) => {
            errors.first().map(|(part, _)| (at(part), "modules cannot be loaded here".to_owned()))
        }
    });
    let (position, why) = found.unwrap_or((0, "it cannot be read".to_owned()));
    pointed(code, position, &format!("the jq expression does not parse: {why}"))
}

fn undefined(code: &str, errors: &compile::Errors<&str, ()>) -> Error {
    let Some((name, kind)) = errors.iter().flat_map(|(_, errors)| errors).next() else {
        return pointed(code, 0, "the jq expression cannot be compiled");
    };
    let what = match kind {
        compile::Undefined::Filter(0) => format!("filter {name}"),
        compile::Undefined::Filter(arguments) => format!("filter {name} with {arguments} arguments"),
        other => format!("{} {name}", other.as_str()),
    };
    let error = pointed(code, load::span(code, name).start, &format!("the jq expression uses an unknown {what}"));
    let reaches_out = LEFT_OUT.contains(name) || ["$ENV", "input", "inputs"].contains(name);
    match reaches_out {
        true => error.hint("an expression sees one message and nothing else: no environment, no other input"),
        false => error,
    }
}

/// An error with the expression's line, and a caret below the place.
fn pointed(code: &str, position: usize, message: &str) -> Error {
    let before = code.get(..position).unwrap_or(code);
    let (number, line_start) = (before.matches('\n').count(), before.rfind('\n').map_or(0, |at| at + 1));
    let line = code.lines().nth(number).unwrap_or_default();
    let column = before[line_start..].chars().count();
    let place =
        if code.contains('\n') { format!(" (line {}, column {})", number + 1, column + 1) } else { String::new() };
    Error::usage(format!("{message}{place}"))
        .details([line.to_owned(), format!("{}^", " ".repeat(column))])
        .hint(format!("one that works: '{EXAMPLE}'"))
}
