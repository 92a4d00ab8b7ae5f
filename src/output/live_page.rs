//! A page that is drawn over the one before, for what goes on until Ctrl-C.

use claimctl_core::error::Result;

use super::{Page, Stdout};
use crate::context::Terminal;

/// Where a terminal's size cannot be told.
const ROWS: u16 = 24;

pub struct LivePage {
    terminal: Terminal,
    in_place: bool,
    /// Columns and rows when the last page was drawn, and how many lines that had.
    last: Option<((u16, u16), usize)>,
}

impl LivePage {
    /// Pages follow each other where the terminal cannot move its cursor.
    pub fn new(terminal: Terminal, in_place: bool) -> Self {
        LivePage { terminal, in_place, last: None }
    }

    /// Draws the page, cut to what fits: what has scrolled away cannot be drawn over.
    pub fn draw(&mut self, page: &Page) -> Result<()> {
        let size = size().unwrap_or((self.terminal.width.unwrap_or(80), ROWS));
        let text = page.render(&Terminal { width: Some(size.0), ..self.terminal });
        let mut out = Stdout::new();
        if self.in_place {
            let lines = cut(&text, size.1);
            out.text(&drawing(self.last, size, &lines))?;
            self.last = Some((size, lines.len()));
        } else {
            out.text(&text)?;
        }
        out.flush()
    }
}

fn size() -> Option<(u16, u16)> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}

/// The lines that fit above the cursor's, the last of them saying how many did not.
fn cut(text: &str, rows: u16) -> Vec<String> {
    let room = usize::from(rows).saturating_sub(1).max(1);
    let all: Vec<_> = text.lines().map(str::to_owned).collect();
    if all.len() <= room {
        return all;
    }
    let mut lines = all[..room - 1].to_vec();
    lines.push(format!("… and {} more lines", all.len() - lines.len()));
    lines
}

/// Control Functions of ECMA-48: up, erase the rest of a line, erase what is below. Lines are not wrapped meanwhile, so
/// that a line is a row; after the terminal's size has changed nobody knows what is where, so it begins anew.
fn drawing(last: Option<((u16, u16), usize)>, size: (u16, u16), lines: &[String]) -> String {
    let begin = match last {
        None | Some((_, 0)) => String::new(),
        Some((before, rows)) if before == size => format!("\u{1b}[{rows}A\r"),
        Some(_) => "\u{1b}[H\u{1b}[2J".to_owned(),
    };
    let lines: String = lines.iter().map(|line| format!("{line}\u{1b}[K\r\n")).collect();
    format!("{begin}\u{1b}[?7l{lines}\u{1b}[J\u{1b}[?7h")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_drawn_over_the_one_before() {
        let lines = ["a".to_owned(), "b".to_owned()];
        let first = drawing(None, (80, 24), &lines);
        assert_eq!(first, "\u{1b}[?7la\u{1b}[K\r\nb\u{1b}[K\r\n\u{1b}[J\u{1b}[?7h");
        assert_eq!(drawing(Some(((80, 24), 3)), (80, 24), &lines), format!("\u{1b}[3A\r{first}"));
        assert_eq!(drawing(Some(((90, 24), 3)), (80, 24), &lines), format!("\u{1b}[H\u{1b}[2J{first}"));
    }

    #[test]
    fn what_does_not_fit_is_said() {
        assert_eq!(cut("a\nb\nc\n", 4), ["a", "b", "c"]);
        assert_eq!(cut("a\nb\nc\nd\n", 4), ["a", "b", "… and 2 more lines"]);
        assert_eq!(cut("a\nb\n", 1), ["… and 2 more lines"]);
    }
}
