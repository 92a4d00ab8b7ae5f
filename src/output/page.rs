//! The form of a report for people: lines and tables, top to bottom.

use claimctl_core::units::printable;
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, presets};

use crate::context::Terminal;

#[derive(Default)]
pub struct Page(Vec<Part>);

enum Part {
    Line(String),
    Verbatim(String),
    Table(Table),
}

/// Rows under headings. Cells may hold anything: control characters are made visible when drawn.
pub struct Table {
    headings: Vec<String>,
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Page {
    pub fn new() -> Self {
        Self::default()
    }

    /// A sentence, on one line whatever it names. Left out of `--output text`, which is fields only.
    pub fn line(mut self, text: impl Into<String>) -> Self {
        self.0.push(Part::Line(text.into()));
        self
    }

    pub fn lines<T: Into<String>>(self, texts: impl IntoIterator<Item = T>) -> Self {
        texts.into_iter().fold(self, Page::line)
    }

    /// What to do: the command or the sentence of each hint.
    pub fn hints(self, hints: &[String]) -> Self {
        self.lines(hints.iter().map(|hint| format!("hint: {hint}")))
    }

    /// Text of ours that another program reads, byte for byte: a script, a policy. Also in `--output text`.
    pub fn verbatim(mut self, text: impl Into<String>) -> Self {
        self.0.push(Part::Verbatim(text.into()));
        self
    }

    pub fn line_if(self, condition: bool, text: impl FnOnce() -> String) -> Self {
        if condition { self.line(text()) } else { self }
    }

    /// A table; one without rows is left out.
    pub fn table(mut self, table: Table) -> Self {
        if !table.rows.is_empty() {
            self.0.push(Part::Table(table));
        }
        self
    }

    /// Lines and aligned tables, fitted to the terminal's width where there is one.
    pub fn render(&self, terminal: &Terminal) -> String {
        let mut text = String::new();
        for (index, part) in self.0.iter().enumerate() {
            match part {
                Part::Verbatim(verbatim) => text.push_str(verbatim),
                Part::Line(line) => {
                    text.push_str(&printable(line));
                    text.push('\n');
                }
                Part::Table(table) => {
                    text.push_str(&table.render(terminal));
                    if index + 1 < self.0.len() {
                        text.push('\n');
                    }
                }
            }
        }
        text
    }

    /// Tab-separated fields, one row a line, without headings.
    pub fn fields(&self) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Line(_) => {}
                Part::Verbatim(verbatim) => text.push_str(verbatim),
                Part::Table(table) => {
                    for row in &table.rows {
                        let cells: Vec<_> = row.iter().map(|cell| printable(cell)).collect();
                        text.push_str(&cells.join("\t"));
                        text.push('\n');
                    }
                }
            }
        }
        text
    }

    /// The sentences alone, on one line: how it went, in short.
    pub fn sentences(&self) -> String {
        let lines = self.0.iter().filter_map(|part| match part {
            Part::Line(line) => Some(line.as_str()),
            Part::Verbatim(_) | Part::Table(_) => None,
        });
        lines.collect::<Vec<_>>().join("; ")
    }
}

impl Table {
    /// A heading that begins with `>` is right-aligned: numbers.
    pub fn new<const N: usize>(headings: [&'static str; N]) -> Self {
        Table {
            right: headings.iter().map(|heading| heading.starts_with('>')).collect(),
            headings: headings.iter().map(|heading| heading.trim_start_matches('>').to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Where the columns are known only with the rows. Each row has as many cells.
    pub fn of_columns(headings: Vec<String>, rows: Vec<Vec<String>>) -> Self {
        Table { right: vec![false; headings.len()], headings, rows }
    }

    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    fn render(&self, terminal: &Terminal) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING);
        match terminal.width {
            Some(width) => {
                table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
            }
            None => {
                table.set_content_arrangement(ContentArrangement::Disabled);
            }
        }
        if terminal.color {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table.set_header(self.headings.iter().map(|heading| Cell::new(heading).add_attribute(Attribute::Bold)));
        for row in &self.rows {
            table.add_row(row.iter().zip(&self.right).map(|(cell, right)| {
                let alignment = if *right { CellAlignment::Right } else { CellAlignment::Left };
                Cell::new(printable(cell)).set_alignment(alignment)
            }));
        }
        for (column, right) in table.column_iter_mut().zip(&self.right) {
            column.set_padding((0, 2));
            if *right {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let mut text = String::new();
        for line in table.lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Terminal = Terminal { stdin: false, stdout: false, stderr: false, width: None, color: false };

    fn sample() -> Page {
        let mut table = Table::new(["KEY", ">SIZE"]);
        table.row(["a".into(), "1".into()]);
        table.row(["long\u{1b}[31m".into(), "12345".into()]);
        Page::new().line("two objects").table(table)
    }

    #[test]
    fn a_table_is_aligned_and_ends_every_line_without_blanks() {
        assert_eq!(sample().render(&PLAIN), "two objects\nKEY          SIZE\na               1\nlong\\e[31m  12345\n");
    }

    #[test]
    fn text_has_the_fields_only() {
        assert_eq!(sample().fields(), "a\t1\nlong\\e[31m\t12345\n");
    }

    #[test]
    fn a_key_with_line_breaks_stays_within_its_sentence() {
        let page = Page::new().line("missing: a\nall accounted for\r\u{1b}[2K");
        assert_eq!(page.render(&PLAIN), "missing: a\\nall accounted for\\r\\e[2K\n");
    }

    #[test]
    fn what_another_program_reads_is_not_touched() {
        let page = Page::new().line("said").verbatim("a\tb\u{1b}\n");
        assert_eq!((page.render(&PLAIN), page.fields()), ("said\na\tb\u{1b}\n".into(), "a\tb\u{1b}\n".into()));
        assert_eq!(page.line("done").sentences(), "said; done");
    }

    #[test]
    fn a_narrow_terminal_is_not_overrun() {
        let narrow = Terminal { width: Some(12), ..PLAIN };
        assert!(sample().render(&narrow).lines().skip(1).all(|line| line.chars().count() <= 12));
    }
}
