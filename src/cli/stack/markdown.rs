//! Plans as Markdown, for a comment on a pull request or the summary of a workflow: counts first, the table folded.
//!
//! Names and values are whatever somebody typed. All of them stand in code, within a fence that is longer than any run
//! of backticks inside, so that none of them is taken for Markdown, for a link or for a person's name.

use std::path::Path;

use claimctl_core::error::{IoContext, Result};
use claimctl_core::redact::redact;
use claimctl_core::units::{count, printable};

use super::StackPlan;
use crate::context::Terminal;
use crate::output::{Failure, Page};

/// In bytes. GitHub takes 65,536 characters in a comment: those of four environments fit, with what is around them.
const MOST: usize = 15_000;

/// What is said of a table that is cut off.
const CUT: &str = "more lines are left out here; the log of the job has all of them.";

const PLAIN: Terminal = Terminal { stdin: false, stdout: false, stderr: false, width: None, color: false };

/// The plans of one environment, each with the stacks after which it may be another one; the stacks that wait for others to
/// be deployed; and those that have none. `place` is its account and region.
pub fn of(
    environment: &str,
    place: &[&str],
    plans: &[(&StackPlan, Option<&[String]>)],
    waiting: &[(&str, &[String])],
    failed: &[(&str, &Failure)],
) -> String {
    let place: Vec<String> = place.iter().map(|part| code(part)).collect();
    let mut text = format!("### {}: {}\n", code(environment), place.join(", "));
    let share = MOST / (plans.len() + failed.len()).max(1);
    for (plan, provisional) in plans {
        let summary = &plan.summary;
        text.push_str(&format!("\n{}: {}\n", code(&plan.stack), summary.sentence()));
        if !summary.outputs.is_empty() {
            text.push_str(&format!("\nOutputs that change: {}\n", in_code(&summary.outputs).join(", ")));
        }
        if !summary.changes.is_empty() {
            let table = Page::new().table(super::table(&summary.changes)).render(&PLAIN);
            let number = count(summary.changes.len() as u64, "change");
            text.push_str(&format!(
                "\n<details><summary>{number}</summary>\n\n{}\n</details>\n",
                fenced(&table, share)
            ));
        }
        if let Some(after) = provisional {
            text.push_str(&format!("\n{}\n", super::provisional(&code(&plan.stack), &in_code(after))));
        }
    }
    for (stack, others) in waiting {
        text.push_str(&format!("\n{}\n", super::waiting(&code(stack), &in_code(others))));
    }
    for (stack, failure) in failed {
        text.push_str(&format!("\n{}: could not be planned\n\n{}", code(stack), said(failure, share)));
    }
    text
}

fn in_code(names: &[String]) -> Vec<String> {
    names.iter().map(|name| code(name)).collect()
}

/// Where there is no plan: why not.
pub fn of_failure(environment: &str, failure: &Failure) -> String {
    format!("### {}: could not be planned\n\n{}", code(environment), said(failure, MOST))
}

fn said(failure: &Failure, most: usize) -> String {
    let said: Vec<String> = failure.lines().iter().map(|line| redact(line)).collect();
    fenced(&said.join("\n"), most)
}

/// Into what is there, as the summary of a workflow's step is.
pub fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).on("write", path)
}

/// Within a line.
fn code(text: &str) -> String {
    let text = printable(text);
    let fence = "`".repeat(longest_run(&text) + 1);
    // A blank on either side is taken away again: a backtick at an end is not one of the fence.
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Whole lines, as many as fit.
fn fenced(text: &str, most: usize) -> String {
    let mut length = 0;
    let lines: Vec<&str> = text.lines().collect();
    let fit = lines.iter().take_while(|line| {
        length += line.len() + 1;
        length <= most
    });
    let shown: Vec<&str> = fit.copied().collect();
    let left = lines.len() - shown.len();
    let shown = shown.join("\n");
    let fence = "`".repeat(longest_run(&shown).max(2) + 1);
    let cut = if left > 0 { format!("\n{left} {CUT}\n") } else { String::new() };
    format!("{fence}text\n{shown}\n{fence}\n{cut}")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use claimctl_core::exit::Exit;
    use claimctl_deploy::terraform::{Action, Change, Counts, Summary};
    use serde_json::json;

    fn plan(addresses: impl IntoIterator<Item = String>) -> StackPlan {
        let change = |address| Change {
            address,
            kind: "aws_sqs_queue".to_owned(),
            action: Action::Create,
            reason: None,
            from: None,
            forced_by: Vec::new(),
            attributes: Vec::new(),
            settled: Vec::new(),
            before: json!(null),
        };
        let changes: Vec<Change> = addresses.into_iter().map(change).collect();
        let counts = Counts { create: changes.len() as u64, ..Counts::default() };
        let summary = Summary { changes, outputs: vec!["claimctl".to_owned()], unchanged: 2, counts };
        StackPlan { stack: "claim-check".to_owned(), summary }
    }

    fn told(plan: StackPlan) -> String {
        of("dev", &["111111111111", "us-west-1"], &[(&plan, None)], &[], &[])
    }

    #[test]
    fn counts_come_first_and_the_table_is_folded() {
        let text = told(plan(["aws_sqs_queue.claims".to_owned()]));
        let expected = "### `dev`: `111111111111`, `us-west-1`\n\n`claim-check`: 1 to create, 2 unchanged\n\nOutputs that \
                        change: `claimctl`\n\n<details><summary>1 change</summary>\n\n```text\nACTION  \
                        RESOURCE              ATTRIBUTE  NOW  THEN\ncreate  aws_sqs_queue.claims\n```\n\n</details>\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_plan_of_nothing_has_no_table() {
        let nothing = StackPlan { stack: "claim-check".to_owned(), summary: Summary::default() };
        assert!(told(nothing).ends_with("`claim-check`: nothing to do, 0 unchanged\n"));
    }

    #[test]
    fn no_name_leaves_its_fence() {
        let evil = "aws_sqs_queue.q[\"````\n</details>\n@everyone # `x`\"]";
        let text = told(plan([evil.to_owned()]));
        let lines: Vec<&str> = text.lines().collect();
        let begins = lines.iter().position(|line| *line == "`````text").unwrap();
        let ends = lines.iter().rposition(|line| *line == "`````").unwrap();
        assert_eq!(ends, begins + 3, "{text}");
        assert!(lines[begins + 2].contains("@everyone"), "{text}");
        assert_eq!((code("a`b"), code("`"), code("plain")), ("``a`b``".into(), "`` ` ``".into(), "`plain`".into()));
    }

    #[test]
    fn what_is_too_long_is_cut_between_lines_and_says_so() {
        let text = told(plan((0..5000).map(|number| format!("aws_sqs_queue.ü[{number}]"))));
        assert!(text.len() < MOST + 500, "{}", text.len());
        assert!(text.contains("\n```\n") && text.contains(CUT) && text.ends_with("</details>\n"));
        assert!(text.contains("5000 to create"));
    }

    #[test]
    fn why_there_is_no_plan_is_told() {
        let failure = Failure {
            error: vec!["no ``` today\u{1b}[31m".to_owned()],
            details: Vec::new(),
            hints: vec!["try https://me:hunter2@host later".to_owned()],
            exit: Exit::Refused,
        };
        let text = of_failure("prod", &failure);
        let expected = "### `prod`: could not be planned\n\n````text\nerror: no ``` today\\e[31m\nhint: try https://[hidden]@host later\n````\n";
        assert_eq!(text, expected);
    }
}
