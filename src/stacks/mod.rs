//! The systems that run in the sandbox, each in a folder of its own, each of the one shape.
//!
//! Whoever needs to know something of a system asks here: `local up` and `demo` what to deploy, the help which variables
//! there are, completion which names. A new one is its folder, and its line in [`ALL`].

mod claim_check;
mod csv_aurora;
mod csv_table;
mod csv_work;
mod fan_out;
mod payments;
mod variable;
mod work;

use std::fmt;
use std::pin::Pin;

use claimctl_core::error::Result;

use crate::demo::Stage;

pub use variable::{Kind, Values, Variable, assign};

/// Every system.
pub const ALL: &[&Stack] =
    &[&claim_check::STACK, &fan_out::STACK, &csv_table::STACK, &csv_aurora::STACK, &payments::STACK];

/// The name of the one that is meant where none is named.
pub const DEFAULT: &str = claim_check::STACK.name;

/// One system: a template, what it can be asked for, the handlers that it runs, and the story that shows it.
pub struct Stack {
    /// As Terraform's root, the surface and the command line call it.
    pub name: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
    /// In CloudFormation; its output `claimctl` is the surface. It takes the parameters Project, Environment, Architecture
    /// and ArtifactBucket, those of its variables, documents and handlers, and with a database those of
    /// [`DATABASE_PARAMETERS`].
    pub template: &'static str,
    pub documents: &'static [Document],
    pub variables: &'static [Variable],
    pub handlers: &'static [Handler],
    /// The command that gives it work, without the program's name.
    pub work: &'static str,
    /// Whether it ends in a database, which the sandbox has then.
    pub database: bool,
    /// Deploys it for the demo, gives it work, and tells what came of it, step by step.
    pub play: for<'a> fn(&'a mut Stage<'_>) -> Playing<'a>,
}

/// A story while it is told.
pub type Playing<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// The parameters by which a template is told of the sandbox's database: its port, and what its secret holds.
pub const DATABASE_PARAMETERS: [&str; 2] = ["DatabasePort", "DatabaseSecret"];

/// A handler that a stack runs, and the template's parameters that say which zip it is.
#[derive(Debug, Clone, Copy)]
pub struct Handler {
    /// Of its binary.
    pub name: &'static str,
    /// The parameter that takes the key of the zip in the artifact bucket.
    pub key: &'static str,
    /// The parameter that takes its SHA-256 in hex.
    pub digest: &'static str,
}

/// A file that Terraform reads too, and the template's parameter that takes it.
#[derive(Debug, Clone, Copy)]
pub struct Document {
    pub parameter: &'static str,
    pub text: &'static str,
    pub place: DocumentPlace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentPlace {
    /// The parameter's value is the text: up to 4,096 bytes (AWS CloudFormation User Guide, "Understand CloudFormation
    /// quotas").
    Parameter,
    /// The parameter's value is the text's key in the artifact bucket.
    Bucket,
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The variables of all stacks, for the help of the flag that sets them.
pub fn help() -> String {
    let mut help = String::from("A variable of a stack, by its name in Terraform; may be repeated\n");
    for stack in ALL {
        for variable in stack.variables {
            let Variable { name, default, summary, .. } = variable;
            help.push_str(&format!(
                "\n  {name} ({}): {summary}: {} [default: {default}]",
                stack.name,
                variable.allowed()
            ));
        }
    }
    help
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// The template's parameters, each with the rest of its line.
    fn declared(stack: &Stack) -> Vec<(&'static str, &'static str)> {
        let parameters = stack.template.split("\nParameters:\n").nth(1).unwrap().split("\n\n").next().unwrap();
        parameters.lines().map(|line| line.trim().split_once(": ").unwrap()).collect()
    }

    #[test]
    fn every_parameter_of_a_template_is_given_and_no_other() {
        for stack in ALL {
            let common = ["Project", "Environment", "Architecture", "ArtifactBucket"].into_iter();
            let of_handlers = stack.handlers.iter().flat_map(|handler| [handler.key, handler.digest]);
            let of_variables = stack.variables.iter().map(|variable| variable.parameter);
            let of_documents = stack.documents.iter().map(|document| document.parameter);
            let of_database = DATABASE_PARAMETERS.into_iter().filter(|_| stack.database);
            let given = common.chain(of_handlers).chain(of_variables).chain(of_documents);
            let mut given: Vec<_> = given.chain(of_database).collect();
            let mut declared: Vec<_> = declared(stack).into_iter().map(|(name, _)| name).collect();
            given.sort_unstable();
            declared.sort_unstable();
            assert_eq!(given, declared, "{stack:?}");
        }
    }

    /// All that declares variables of a stack, which lie in the folders of its parts where it has some.
    fn variables_in_terraform(stack: &str) -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("terraform/stacks").join(stack);
        let parts = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path());
        let files = parts.chain([root.clone()]).map(|folder| folder.join("variables.tf"));
        let declared: Vec<_> = files.filter_map(|file| std::fs::read_to_string(file).ok()).collect();
        assert!(!declared.is_empty(), "{stack} declares no variables");
        declared.concat()
    }

    #[test]
    fn variables_are_terraforms_and_their_values_the_templates() {
        for stack in ALL {
            let terraform = variables_in_terraform(stack.name);
            for Variable { name, parameter, default, kind, .. } in stack.variables {
                assert!(terraform.contains(&format!("variable \"{name}\" {{")), "{name}");
                let (_, says) = declared(stack).into_iter().find(|(declared, _)| declared == parameter).unwrap();
                let says_default = ["", "\"", "'"].map(|quote| format!("Default: {quote}{default}{quote}"));
                assert!(says_default.iter().any(|default| says.contains(default)), "{name}: {says}");
                if let Kind::OneOf(words) = kind {
                    let allowed = format!("AllowedValues: [{}]", words.join(", "));
                    assert!(says.replace('"', "").contains(&allowed), "{name}: {says}");
                }
            }
        }
    }

    #[test]
    fn names_are_different_and_one_of_them_is_the_default() {
        let names: std::collections::BTreeSet<_> = ALL.iter().map(|stack| stack.name).collect();
        assert_eq!(names.len(), ALL.len());
        assert!(names.contains(DEFAULT));
        assert!(ALL.iter().all(|stack| !stack.summary.is_empty() && !stack.summary.contains('\n')));
    }
}
