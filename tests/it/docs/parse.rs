//! Reading the commands out of Markdown, and comparing what they say with what is shown.

/// A command of the documentation.
#[derive(Debug, PartialEq)]
pub struct Step {
    /// Where it stands in the file, from 1.
    pub line: usize,
    pub command: String,
    pub code: i32,
    /// None: not shown.
    pub said: Option<Vec<String>>,
}

/// The steps of a file in order; or where it is not written as it should be, and how it should.
pub fn steps(text: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut ends_with = None;
    let mut runs = false;
    for (index, line) in text.lines().enumerate() {
        let wrong = |what: &str| format!("{}: {what}: {line}", index + 1);
        match ends_with {
            Some(end) if line == end => ends_with = None,
            Some(_) if !runs => {}
            Some(_) => read_line(index + 1, line, &mut steps).map_err(|what| wrong(&what))?,
            None if line == "<!-- test" => (ends_with, runs) = (Some("-->"), true),
            None => {
                if line.starts_with("    ") && line.trim_start().starts_with("claimctl ") {
                    return Err(wrong("commands are written as ```console, so that they are run"));
                }
                let Some(info) = line.strip_prefix("```") else { continue };
                (ends_with, runs) = (Some("```"), info == "console");
                match info.strip_prefix("console") {
                    Some("") => {}
                    Some(rest) if rest.strip_prefix(" no_run: ").is_some_and(|reason| reason.len() > 5) => {}
                    Some(_) => return Err(wrong("write ```console, or ```console no_run: REASON")),
                    None if ["sh", "bash", "shell", "zsh"].contains(&info) => {
                        return Err(wrong("commands are written as ```console, so that they are run"));
                    }
                    None => {}
                }
            }
        }
    }
    match ends_with {
        Some(end) => Err(format!("{}: no {end} at the end", text.lines().count())),
        None => Ok(steps),
    }
}

fn read_line(number: usize, line: &str, steps: &mut Vec<Step>) -> Result<(), String> {
    if let Some(command) = line.strip_prefix("$ ") {
        steps.push(Step { line: number, command: command.to_owned(), code: 0, said: None });
        return Ok(());
    }
    let step = steps.last_mut().ok_or("a block begins with $ COMMAND")?;
    match (&mut step.said, line.strip_prefix("> "), line.strip_prefix("? ")) {
        (None, Some(more), _) => {
            step.command.push('\n');
            step.command.push_str(more);
        }
        (None, _, Some(code)) => step.code = code.parse().map_err(|_| "? is followed by an exit code")?,
        (None, ..) if line.is_empty() => {}
        (said, ..) => said.get_or_insert_default().push(line.to_owned()),
    }
    Ok(())
}

/// Whether what was said is what is shown; blanks at the ends of lines, and empty lines at the end, are not compared.
pub fn matches(shown: &[String], said: &str) -> bool {
    let trimmed = |lines: Vec<&str>| -> Vec<String> {
        let mut lines: Vec<String> = lines.into_iter().map(|line| line.trim_end().to_owned()).collect();
        lines.truncate(lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1));
        lines
    };
    let shown = trimmed(shown.iter().map(String::as_str).collect());
    let said = trimmed(said.lines().collect());
    lines_match(&shown, &said)
}

fn lines_match(shown: &[String], said: &[String]) -> bool {
    match shown.split_first() {
        None => said.is_empty(),
        Some((line, rest)) if line == "..." => (0..=said.len()).any(|skipped| lines_match(rest, &said[skipped..])),
        Some((line, rest)) => {
            said.split_first().is_some_and(|(first, more)| line_matches(line, first) && lines_match(rest, more))
        }
    }
}

fn line_matches(shown: &str, said: &str) -> bool {
    let Some((before, after)) = shown.split_once("[..]") else { return shown == said };
    let Some(rest) = said.strip_prefix(before) else { return false };
    let starts = rest.char_indices().map(|(index, _)| index).chain([rest.len()]);
    starts.into_iter().any(|start| line_matches(after, &rest[start..]))
}

#[test]
fn the_commands_of_a_guide_are_found_in_order() {
    let text = "Type\n```console\n$ one \\\n> --more\n? 8\nsaid\n\n$ two\n```\n<!-- test\n$ three\n-->\n\
                ```console no_run: needs an AWS account\n$ four\n```\n```json\n$ five\n```\n";
    let said = Some(vec!["said".to_owned(), String::new()]);
    let step = |line, command: &str, code, said| Step { line, command: command.to_owned(), code, said };
    let expected = [step(3, "one \\\n--more", 8, said), step(8, "two", 0, None), step(11, "three", 0, None)];
    assert_eq!(steps(text).unwrap(), expected);
}

#[test]
fn a_command_cannot_hide_from_the_test() {
    for text in
        ["```sh\nclaimctl\n```\n", "```console ignore\n$ x\n```\n", "```console no_run: \n```\n", "```console\n$ x\n"]
    {
        assert!(steps(text).is_err(), "{text}");
    }
    assert!(steps("Type\n\n    claimctl queue ls\n").is_err());
    assert!(steps("```console\nclaimctl\n```\n").unwrap_err().contains("begins with $"));
}

#[test]
fn what_differs_from_run_to_run_can_be_left_out() {
    let shown = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(matches(&shown("took [..]s\n...\nend"), "took 1.2s  \na\nb\nend\n\n"));
    assert!(matches(&shown("...\nend"), "end\n"));
    assert!(matches(&shown("a [..] b [..]c"), "a x b y b zc"));
    assert!(!matches(&shown("took [..]s"), "took 1.2s\nmore\n"));
    assert!(!matches(&shown("a[..]b"), "a"));
    assert!(!matches(&shown("...\nend"), "end\nmore\n"));
}
