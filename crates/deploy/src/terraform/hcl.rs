//! Files in Terraform's language, read as far as claimctl needs them. Terraform decides what is valid: where the parser
//! here fails on a part that its reader takes, the rest counts, and the part by its first line.

use std::path::Path;

use claimctl_core::error::{Error, IoContext, Result};
use hcl_edit::expr::Expression;
use hcl_edit::structure::{Attribute, Block, Body, Structure};

/// A file without the mark that some editors put before its text, and whatever bytes are in its comments.
pub fn text(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).on("read", path)?;
    Ok(without_mark(&String::from_utf8_lossy(&bytes)).to_owned())
}

/// Terraform drops the mark as well (HCL, hclsyntax, `stripUTF8BOM`).
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

pub fn read(path: &Path) -> Result<Body> {
    parse(&text(path)?).map_err(|error| {
        Error::usage(format!("{} is not valid HCL", path.display()))
            .details(error.to_string().lines())
            .hint("mend the file; terraform fmt says the same of it")
    })
}

pub fn parse(text: &str) -> Result<Body, hcl_edit::parser::Error> {
    let text = text.replace("\r\n", "\n");
    text.parse().or_else(|error| salvaged(&text).ok_or(error))
}

/// What a file says part by part, where it cannot be parsed as a whole. None where not even its parts can be told.
fn salvaged(text: &str) -> Option<Body> {
    let mut body = Body::new();
    for part in parts(text)? {
        match part.parse::<Body>() {
            Ok(parsed) => parsed.into_iter().for_each(|structure| body.push(structure)),
            Err(_) => body.push(header(part)?),
        }
    }
    Some(body)
}

/// A block without what is in it, or an attribute whose value is a heredoc. Another value that cannot be parsed is
/// nobody's to read.
fn header(part: &str) -> Option<Structure> {
    let code = skip_blanks(part);
    let end = code.find(['{', '='])?;
    match &code[end..=end] {
        "{" => {
            let empty: Body = format!("{}{{}}", &code[..end]).parse().ok()?;
            let block: Block = empty.into_blocks().next()?;
            Some(block.into())
        }
        _ if !part.contains("<<") => None,
        _ => {
            let name = hcl_edit::Ident::try_new(code[..end].trim()).ok()?;
            Some(Attribute::new(name, Expression::null()).into())
        }
    }
}

/// What comes after blanks and comments.
fn skip_blanks(text: &str) -> &str {
    let text = text.trim_start();
    let after = match comment(text) {
        0 => return text,
        length => &text[length..],
    };
    skip_blanks(after)
}

/// A file's blocks and attributes as text. None where brackets or quotes are left open.
fn parts(text: &str) -> Option<Vec<&str>> {
    let (mut found, mut begin, mut at, mut depth) = (Vec::new(), 0, 0, 0_usize);
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = match c {
            '#' | '/' if comment(rest) > 0 => comment(rest),
            '"' => quoted(rest)?,
            '<' if rest.starts_with("<<") => heredoc(rest)?,
            '{' | '[' | '(' => {
                depth += 1;
                1
            }
            '}' | ']' | ')' => {
                depth = depth.checked_sub(1)?;
                1
            }
            _ => c.len_utf8(),
        };
        at += length;
        let is_end = text[..at].ends_with('\n') && depth == 0;
        if is_end && !skip_blanks(&text[begin..at]).is_empty() {
            found.push(&text[begin..at]);
            begin = at;
        }
    }
    let last = &text[begin..];
    found.extend((!skip_blanks(last).is_empty()).then_some(last));
    (depth == 0).then_some(found)
}

/// The length of the comment that a text begins with; a line's ends before the line does.
fn comment(text: &str) -> usize {
    if text.starts_with("/*") {
        return text.find("*/").map_or(text.len(), |end| end + 2);
    }
    match text.starts_with('#') || text.starts_with("//") {
        true => text.find('\n').unwrap_or(text.len()),
        false => 0,
    }
}

/// The length of a string, with what is inserted into it, which may hold strings of its own.
fn quoted(text: &str) -> Option<usize> {
    let (mut at, mut depth) = (1, 0_usize);
    loop {
        let rest = text.get(at..)?;
        let c = rest.chars().next()?;
        at += match c {
            '\\' if depth == 0 => 1 + rest[1..].chars().next()?.len_utf8(),
            '"' if depth == 0 => return Some(at + 1),
            '"' => quoted(rest)?,
            '$' | '%' if depth == 0 && (rest.starts_with("$${") || rest.starts_with("%%{")) => 3,
            '$' | '%' if depth == 0 && rest[1..].starts_with('{') => {
                depth = 1;
                2
            }
            '{' if depth > 0 => {
                depth += 1;
                1
            }
            '}' if depth > 0 => {
                depth -= 1;
                1
            }
            '\n' if depth == 0 => return None,
            _ => c.len_utf8(),
        };
    }
}

/// The length of a heredoc, up to the end of the word that ends it: that is all of its line, and a line may begin with it.
fn heredoc(text: &str) -> Option<usize> {
    let (first, _) = text.split_once('\n')?;
    let word = first.trim_start_matches('<').trim_start_matches('-').trim();
    if word.is_empty() || !word.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') {
        return Some(2);
    }
    let mut at = first.len() + 1;
    for line in text[at..].split_inclusive('\n') {
        if line.trim() == word {
            return Some(at + line.trim_end().len());
        }
        at += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Option<Vec<String>> {
        let body = parse(text).ok()?;
        let name = |structure: &Structure| match structure {
            Structure::Attribute(attribute) => attribute.key.as_str().to_owned(),
            Structure::Block(block) => {
                let labels = block.labels.iter().map(|label| label.as_str().to_owned());
                std::iter::once(block.ident.as_str().to_owned()).chain(labels).collect::<Vec<_>>().join(" ")
            }
        };
        Some(body.iter().map(name).collect())
    }

    #[test]
    fn what_terraform_reads_is_read() {
        const AFTER: &str = "variable \"b\" {}\n";
        for (what, before, expected) in [
            (
                "a heredoc whose lines begin with its end",
                "locals {\n  a = <<EOT\nEOTX\nEOT.\n  EOT-\nEOT\n}\n",
                "locals",
            ),
            ("an indented one", "locals {\n  a = <<-EOT\n    EOT2\n    EOT\n}\n", "locals"),
            ("braces in a heredoc", "locals {\n  a = <<EOT\n}{ \"\nEOTX\nEOT\n}\n", "locals"),
            ("a heredoc in a call", "locals {\n  a = trim(<<EOT\nEOTX\nEOT\n  , \"x\")\n}\n", "locals"),
            (
                "strings within strings",
                "locals {\n  a = \"${lookup(var.x, \"}\")} ${\"${1}\"} $${ %%{\"\n  b = <<E\nE1\nE\n}\n",
                "locals",
            ),
            ("brackets in comments", "/* { */ locals { # {\n  // [\n  a = <<E\nE1\nE\n}\n", "locals"),
            ("line ends of elsewhere", "locals {\r\n  a = <<E\r\nE1\r\nE\r\n}\r\n", "locals"),
            ("an attribute", "a = <<E\nE1\nE\n", "a"),
        ] {
            let read = names(&format!("{before}{AFTER}"));
            assert_eq!(read, Some(vec![expected.to_owned(), "variable b".to_owned()]), "{what}");
        }
    }

    #[test]
    fn a_part_that_cannot_be_parsed_hides_no_other() {
        let text = "resource \"a\" \"b\" {\n  c = ???\n}\nvariable \"v\" {\n  default = \"d\"\n}\nx = <<E\nE1\nE\n";
        let body = parse(text).unwrap();
        assert_eq!(names(text).unwrap(), ["resource a b", "variable v", "x"]);
        let variable = body.get_blocks("variable").next().unwrap();
        assert_eq!(variable.body.get_attribute("default").unwrap().value.as_str(), Some("d"));
        for open in ["x = ???", "region = \n", "variable {", "resource {", "a = \"b", "a = <<E\nE1", "}", "a = [\n"] {
            assert!(parse(open).is_err(), "{open}");
        }
    }

    #[test]
    fn marks_and_other_bytes_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("main.tf");
        std::fs::write(&path, b"\xef\xbb\xbf# caf\xe9\nvariable \"v\" {}\n").unwrap();
        assert_eq!(read(&path).unwrap().get_blocks("variable").count(), 1);
    }
}
