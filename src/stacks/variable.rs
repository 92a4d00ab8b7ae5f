//! What a stack can be asked for: `--var NAME=VALUE`, by the names of the variables of its Terraform root.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use claimctl_core::error::{Error, Result};
use claimctl_core::{nearest, time};

use super::Stack;

/// A variable of a stack, and the parameter of the template that takes its value.
#[derive(Debug)]
pub struct Variable {
    /// As in Terraform.
    pub name: &'static str,
    pub parameter: &'static str,
    pub kind: Kind,
    /// As the template takes it.
    pub default: &'static str,
    /// What it decides, in a few words.
    pub summary: &'static str,
}

#[derive(Debug)]
pub enum Kind {
    OneOf(&'static [&'static str]),
    /// A whole number of seconds, typed as such or as a duration.
    Seconds(RangeInclusive<u64>),
    Number(RangeInclusive<u64>),
    Percent,
    /// Whatever the handler makes of it, described in a few words.
    Text {
        allowed: &'static str,
    },
}

/// The values of one stack: template parameter → value, for every variable that it has.
pub type Values = BTreeMap<&'static str, String>;

impl Variable {
    /// What may be typed, in words.
    pub fn allowed(&self) -> String {
        match &self.kind {
            Kind::OneOf(words) => words.join(" or "),
            Kind::Seconds(range) => {
                let shown = |seconds: u64| time::typed(Duration::from_secs(seconds));
                format!("a duration from {} to {}", shown(*range.start()), shown(*range.end()))
            }
            Kind::Number(range) => format!("a whole number from {} to {}", range.start(), range.end()),
            Kind::Percent => "a percentage from 0 to 100".to_owned(),
            Kind::Text { allowed } => (*allowed).to_owned(),
        }
    }

    /// The value as the template takes it; None for what is not allowed.
    fn read(&self, typed: &str) -> Option<String> {
        match &self.kind {
            Kind::OneOf(words) => words.contains(&typed).then(|| typed.to_owned()),
            Kind::Seconds(range) => {
                let range = Duration::from_secs(*range.start())..=Duration::from_secs(*range.end());
                time::parse_seconds_in(typed, range).ok().map(|length| length.as_secs().to_string())
            }
            Kind::Number(range) => {
                typed.parse().ok().filter(|number| range.contains(number)).map(|number: u64| number.to_string())
            }
            Kind::Percent => {
                typed.parse::<f64>().ok().filter(|percent| (0.0..=100.0).contains(percent)).map(|_| typed.to_owned())
            }
            Kind::Text { .. } => (!typed.is_empty()).then(|| typed.to_owned()),
        }
    }
}

/// The values of each of the stacks, in their order. An assignment belongs to every stack that has the variable, and at
/// least one has to; the last one of a name counts.
pub fn assign<T: AsRef<str>>(stacks: &[&Stack], typed: &[T]) -> Result<Vec<Values>> {
    let default = |variable: &Variable| (variable.parameter, variable.default.to_owned());
    let mut all: Vec<Values> = stacks.iter().map(|stack| stack.variables.iter().map(default).collect()).collect();
    for assignment in typed.iter().map(AsRef::as_ref) {
        let Some((name, value)) = assignment.split_once('=') else {
            return Err(Error::usage(format!("--var {assignment:?} has no value")).hint("write --var NAME=VALUE"));
        };
        let mut is_known = false;
        for (stack, values) in stacks.iter().zip(&mut all) {
            let Some(variable) = stack.variables.iter().find(|variable| variable.name == name) else { continue };
            is_known = true;
            values.insert(variable.parameter, variable.read(value).ok_or_else(|| not_allowed(variable, value))?);
        }
        if !is_known {
            return Err(unknown(stacks, name));
        }
    }
    Ok(all)
}

fn not_allowed(variable: &Variable, value: &str) -> Error {
    let Variable { name, .. } = variable;
    Error::usage(format!("{name} cannot be {value:?}")).hint(format!("allowed: {}", variable.allowed()))
}

fn unknown(stacks: &[&Stack], name: &str) -> Error {
    let mut known: Vec<_> = stacks.iter().flat_map(|stack| stack.variables).map(|variable| variable.name).collect();
    known.sort_unstable();
    known.dedup();
    let of: Vec<_> = stacks.iter().map(|stack| stack.name).collect();
    let error = Error::usage(format!("in the sandbox, {} has no variable {name:?}", of.join(" or ")));
    let error = match nearest::name(name, known.iter().copied()) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None => error,
    };
    error.hint(format!("known: {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use claimctl_core::error::Kind as ErrorKind;

    use super::*;
    use crate::stacks::ALL;

    fn claim_check(typed: &[&str]) -> Result<Values> {
        let stack = ALL.iter().find(|stack| stack.name == "claim-check").unwrap();
        Ok(assign(&[*stack], typed)?.remove(0))
    }

    #[test]
    fn what_is_typed_comes_before_the_default_and_the_last_word_counts() {
        let values = claim_check(&["trigger=queue", "trigger=schedule", "visibility_timeout=2m"]).unwrap();
        let expected = [("AfterProcessing", "keep"), ("Trigger", "schedule"), ("VisibilityTimeout", "120")];
        assert_eq!(values, expected.map(|(name, value)| (name, value.to_owned())).into());
    }

    #[test]
    fn seconds_are_a_number_or_a_duration() {
        for (typed, seconds) in [("1", "1"), ("1s", "1"), ("3m", "180"), ("12h", "43200")] {
            let values = claim_check(&[&format!("visibility_timeout={typed}")]).unwrap();
            assert_eq!(values["VisibilityTimeout"], seconds, "{typed}");
        }
        for wrong in ["0", "1500ms", "12h1s", "-1", "", "soon"] {
            let error = claim_check(&[&format!("visibility_timeout={wrong}")]).unwrap_err();
            assert!(error.advice().contains("from 1s to 12h"), "{wrong}: {}", error.advice());
        }
    }

    #[test]
    fn a_number_is_whole_and_within_its_limits() {
        let fan_out = *ALL.iter().find(|stack| stack.name == "fan-out").unwrap();
        let read = |typed: &str| Ok::<_, Error>(assign(&[fan_out], &[typed])?.remove(0));
        assert_eq!(read("batch_size=10").unwrap()["BatchSize"], "10");
        for wrong in ["0", "11", "1.5", "-1", "", "1s"] {
            let error = read(&format!("batch_size={wrong}")).unwrap_err();
            assert_eq!(error.advice(), "allowed: a whole number from 1 to 10", "{wrong}");
        }
    }

    #[test]
    fn a_wrong_value_says_what_is_allowed() {
        let error = claim_check(&["after_processing=remove"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert_eq!(error.to_string(), "after_processing cannot be \"remove\"");
        assert_eq!(error.advice(), "allowed: keep or tag or delete");
        assert_eq!(claim_check(&["trigger"]).unwrap_err().advice(), "write --var NAME=VALUE");
    }

    #[test]
    fn a_wrong_name_lists_the_known_ones_and_the_nearest() {
        let error = claim_check(&["after_procesing=tag"]).unwrap_err();
        assert_eq!(error.to_string(), "in the sandbox, claim-check has no variable \"after_procesing\"");
        let known = "known: after_processing, trigger, visibility_timeout";
        assert_eq!(error.advice(), format!("did you mean after_processing?\n{known}"));
        assert_eq!(claim_check(&["zebra=1"]).unwrap_err().advice(), known);
    }

    /// A stack that has one variable of its own.
    const OTHER: Stack = Stack {
        name: "other",
        summary: "of a test",
        template: "",
        documents: &[],
        variables: &[ROWS],
        handlers: &[],
        work: "",
        database: false,
        play: |_| Box::pin(async { Ok(()) }),
    };

    const ROWS: Variable =
        Variable { name: "rows", parameter: "Rows", kind: Kind::OneOf(&["all"]), default: "all", summary: "" };

    #[test]
    fn of_several_stacks_one_has_to_have_the_variable() {
        let stacks: [&Stack; 2] = [ALL[0], &OTHER];
        let values = assign(&stacks, &["rows=all", "trigger=schedule"]).unwrap();
        assert_eq!((values[0]["Trigger"].as_str(), values[1]["Rows"].as_str()), ("schedule", "all"));
        assert_eq!((values[0].len(), values[1].len()), (3, 1));
        let error = assign(&stacks, &["row=all"]).unwrap_err();
        assert_eq!(error.advice().lines().next(), Some("did you mean rows?"));
    }
}
