//! The workflow files, read: as much of YAML as they use, and a panic where they use more.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// `.github`, and everything below it that GitHub reads: path below the repository, text.
pub fn files() -> Vec<(PathBuf, String)> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let below = walkdir::WalkDir::new(repository.join(".github")).sort_by_file_name().into_iter();
    let files = below.map(|entry| entry.unwrap().into_path()).filter(|path| path.extension().is_some());
    files
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            (path.strip_prefix(repository).unwrap().to_owned(), text)
        })
        .collect()
}

/// `plan` is `.github/workflows/plan.yml`.
pub fn workflow(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!(".github/workflows/{name}.yml"));
    yaml(&std::fs::read_to_string(path).unwrap())
}

pub fn yaml(text: &str) -> Value {
    let lines = text.lines().map(|line| Line { indent: line.len() - line.trim_start().len(), text: line.trim() });
    let mut reader = Reader { lines: lines.collect(), at: 0 };
    let value = reader.block(0);
    assert!(reader.peek().is_none(), "not read: {}", reader.lines[reader.at].text);
    value
}

struct Line<'a> {
    indent: usize,
    text: &'a str,
}

struct Reader<'a> {
    lines: Vec<Line<'a>>,
    at: usize,
}

impl<'a> Reader<'a> {
    /// The next line that is not empty and no comment.
    fn peek(&mut self) -> Option<(usize, &'a str)> {
        while self.lines.get(self.at).is_some_and(|line| line.text.is_empty() || line.text.starts_with('#')) {
            self.at += 1;
        }
        self.lines.get(self.at).map(|line| (line.indent, line.text))
    }

    /// A list or a map whose lines begin at this column.
    fn block(&mut self, indent: usize) -> Value {
        match self.peek() {
            Some((_, text)) if text.starts_with("- ") => self.list(indent),
            _ => self.map(indent),
        }
    }

    fn list(&mut self, indent: usize) -> Value {
        let mut items = Vec::new();
        while let Some((column, text)) = self.peek() {
            let Some(item) = text.strip_prefix("- ").filter(|_| column == indent) else { break };
            if key(item).is_some() {
                self.lines[self.at] = Line { indent: indent + 2, text: item };
                items.push(self.map(indent + 2));
            } else {
                self.at += 1;
                items.push(scalar(item));
            }
        }
        Value::Array(items)
    }

    fn map(&mut self, indent: usize) -> Value {
        let mut map = Map::new();
        while let Some((column, text)) = self.peek() {
            if column != indent {
                assert!(column < indent, "deeper than expected: {text}");
                break;
            }
            let Some((name, rest)) = key(text) else { panic!("no key: {text}") };
            self.at += 1;
            let value = match rest {
                "|" | ">-" => self.text(indent, rest),
                "" => match self.peek() {
                    Some((column, text)) if column > indent || (column == indent && text.starts_with("- ")) => {
                        self.block(column)
                    }
                    _ => Value::Null,
                },
                rest => scalar(rest),
            };
            assert!(map.insert(name.to_owned(), value).is_none(), "twice: {name}");
        }
        Value::Object(map)
    }

    /// Lines as they are, or folded into one.
    fn text(&mut self, indent: usize, style: &str) -> Value {
        let first = self.lines[self.at].indent;
        let mut lines = Vec::new();
        while let Some(line) = self.lines.get(self.at).filter(|line| line.text.is_empty() || line.indent > indent) {
            lines.push(format!("{}{}", " ".repeat(line.indent.saturating_sub(first)), line.text));
            self.at += 1;
        }
        Value::String(if style == "|" { lines.join("\n") } else { lines.join(" ") })
    }
}

/// `NAME: REST`
fn key(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.split_once(':')?;
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    (is_name && (rest.is_empty() || rest.starts_with(' '))).then(|| (name, rest.trim()))
}

fn scalar(text: &str) -> Value {
    let text = text.split_once(" #").map_or(text, |(text, _)| text).trim();
    match text {
        "{}" => Value::Object(Map::new()),
        "true" | "false" => Value::Bool(text == "true"),
        _ if text.starts_with('[') => {
            Value::Array(text.trim_matches(['[', ']']).split(',').map(|item| scalar(item.trim())).collect())
        }
        _ => {
            let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            Value::String(quoted.unwrap_or(text).to_owned())
        }
    }
}

#[test]
fn what_the_workflows_use_of_yaml_is_read() {
    let read = yaml(
        "# about\non:\n  push:\n    branches: [main, next]\njobs:\n  a:\n    steps:\n      - uses: x@1 # v1\n        \
         with:\n          deep: true\n      # why\n      - run: |\n          one\n            two\n\n          # three\n      \
         - run: >-\n          four\n          five\n",
    );
    let expected = serde_json::json!({"on": {"push": {"branches": ["main", "next"]}}, "jobs": {"a": {"steps": [
        {"uses": "x@1", "with": {"deep": true}}, {"run": "one\n  two\n\n# three"}, {"run": "four five"}]}}});
    assert_eq!(read, expected);
}
