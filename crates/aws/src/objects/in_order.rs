//! Pages of a listing, asked for side by side and handed out in the order of their keys.
//!
//! A list call gives a thousand keys and where the next ones begin, so that a bucket is read call after call. Here what
//! lies ahead is cut at guessed keys (`guess`), and each piece listed by itself. A guess may cost a call and loses nothing.

use std::collections::VecDeque;
use std::future::Future;

use claimctl_core::error::{Error, Result};
use tokio::task::JoinSet;

use super::guess::{self, Begun};

/// Calls in flight, each for a page of up to a thousand keys of up to a kilobyte.
const CALLS: usize = 32;
/// Pages that wait for those before them.
const PAGES_AHEAD: usize = 32;
/// Pieces that are guessed at first, and at least. While they are good their number grows by half; by each in which nothing
/// lies it shrinks by a quarter.
const FIRST_GUESSES: usize = 2;
/// Pages before one that its density is judged by as well.
const TRAIL: usize = 8;

/// Whatever can be listed from some key on.
pub trait Pages: Clone + Send + 'static {
    /// What one call gives, with what cannot be named.
    type Page: Send + 'static;

    fn page(&self, begin: Begin) -> impl Future<Output = Result<Listed<Self::Page>>> + Send;
    fn keys(page: &Self::Page) -> Vec<&str>;
    /// Without what comes behind this key.
    fn up_to(page: Self::Page, end: &str) -> Self::Page;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    Beginning,
    /// Behind this key.
    Key(String),
    /// Where a page before ended, as the service says it.
    Token(String),
}

pub struct Listed<P> {
    pub page: P,
    /// Where the next one begins, if there is more.
    pub next: Option<String>,
}

/// A part of the key space, or a page of it.
enum Piece<P> {
    Open(Begin, Around),
    Asked(u64, Around),
    Read(P),
}

impl<P> Piece<P> {
    /// As many pages more, or fewer, come before it, behind the nth.
    fn count(&mut self, behind: u64, more: i64) {
        if let Piece::Open(_, around) | Piece::Asked(_, around) = self {
            around.nth = around.nth.saturating_add_signed(more);
            let later = around.trail.iter_mut().filter(|page| page.nth > behind);
            later.for_each(|page| page.nth = page.nth.saturating_add_signed(more));
        }
    }
}

/// What is known of an unread piece.
struct Around {
    /// Pages before it, the nearest last.
    trail: Vec<Begun>,
    /// The how-manieth page it begins with, if the guesses before it are right.
    nth: u64,
    /// The last key that it may have.
    end: Option<String>,
}

pub struct InOrder<L: Pages> {
    pages: L,
    /// In the order of keys.
    pieces: VecDeque<Piece<L::Page>>,
    calls: JoinSet<(u64, Result<Listed<L::Page>>)>,
    called: u64,
    /// Pieces that are guessed at once at most.
    guesses: usize,
}

impl<L: Pages> InOrder<L> {
    pub fn start(pages: L) -> InOrder<L> {
        let all = Piece::Open(Begin::Beginning, Around { trail: Vec::new(), nth: 0, end: None });
        InOrder { pages, pieces: [all].into(), calls: JoinSet::new(), called: 0, guesses: FIRST_GUESSES }
    }

    pub fn of(&self) -> &L {
        &self.pages
    }

    /// None: that was the last one. May be given up while it waits, and called again.
    pub async fn next(&mut self) -> Result<Option<L::Page>> {
        loop {
            match self.pieces.pop_front() {
                None => return Ok(None),
                Some(Piece::Read(page)) => {
                    self.ask();
                    return Ok(Some(page));
                }
                Some(other) => self.pieces.push_front(other),
            }
            self.ask();
            let answered = self.calls.join_next().await;
            let Some(answered) = answered else { return Err(Error::unexpected("a listing waits for nothing")) };
            let (call, listed) = answered.map_err(|died| Error::unexpected("a listing ended early").caused_by(died))?;
            self.answered(call, listed?);
        }
    }

    /// Asks for what is nearest first.
    fn ask(&mut self) {
        let mut ahead = self.pieces.iter().filter(|piece| matches!(piece, Piece::Read(_))).count();
        for (nth, piece) in self.pieces.iter_mut().enumerate() {
            if self.calls.len() >= CALLS || (nth > 0 && ahead >= PAGES_AHEAD) {
                break;
            }
            let Piece::Open(begin, around) = piece else { continue };
            let around = std::mem::replace(around, Around { trail: Vec::new(), nth: 0, end: None });
            let (pages, begin, call) = (self.pages.clone(), begin.clone(), self.called);
            *piece = Piece::Asked(call, around);
            self.called += 1;
            ahead += 1;
            self.calls.spawn(async move { (call, pages.page(begin).await) });
        }
    }

    fn answered(&mut self, call: u64, listed: Listed<L::Page>) {
        let is_it = |piece: &Piece<L::Page>| matches!(piece, Piece::Asked(asked, _) if *asked == call);
        let Some(place) = self.pieces.iter().position(is_it) else { return };
        let Some(Piece::Asked(_, around)) = self.pieces.remove(place) else { return };
        let Listed { mut page, mut next } = listed;
        if let Some(end) = &around.end {
            // Whoever has come behind the end needs no more.
            let is_behind = L::keys(&page).last().is_some_and(|last| *last >= end.as_str());
            next = next.filter(|_| !is_behind);
            page = L::up_to(page, end);
        }
        let keys = L::keys(&page);
        self.judge(around.end.is_some(), keys.is_empty());
        let (nth, is_empty) = (around.nth, keys.is_empty());
        let rest = next.map_or_else(Vec::new, |token| self.cut(&keys, token, around));
        drop(keys);
        // It was counted as one page.
        let more = rest.len() as i64 - i64::from(is_empty);
        let behind = self.pieces.range_mut(place..);
        behind.for_each(|piece| piece.count(nth, more));
        for piece in rest.into_iter().rev() {
            self.pieces.insert(place, piece);
        }
        self.pieces.insert(place, Piece::Read(page));
    }

    fn judge(&mut self, is_between_guesses: bool, is_empty: bool) {
        if is_empty {
            self.guesses = (self.guesses - self.guesses / 4).max(FIRST_GUESSES);
        } else if is_between_guesses {
            self.guesses = (self.guesses + self.guesses / 2).min(CALLS);
        }
    }

    /// What lies between a page and the end, in pieces.
    fn cut(&self, keys: &[&str], token: String, around: Around) -> Vec<Piece<L::Page>> {
        let Around { mut trail, nth, end } = around;
        let guesses = guess::boundaries(&trail, nth, keys, end.as_deref(), self.guesses);
        trail.extend(keys.first().map(|first| Begun { key: (*first).to_owned(), nth }));
        trail.drain(..trail.len().saturating_sub(TRAIL));
        let ends = guesses.iter().cloned().map(Some).chain([end]);
        let begins = [Begin::Token(token)].into_iter().chain(guesses.iter().cloned().map(Begin::Key));
        let piece = |((begin, end), nth)| Piece::Open(begin, Around { trail: trail.clone(), nth, end });
        begins.zip(ends).zip(nth + 1..).map(piece).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex};

    use proptest::prelude::*;
    use tokio::sync::oneshot;

    use super::*;

    /// Answers all calls that wait for it at once, when it is told to.
    #[derive(Clone)]
    struct Store {
        keys: Arc<BTreeSet<String>>,
        of_page: usize,
        waiting: Arc<Mutex<Vec<oneshot::Sender<()>>>>,
    }

    impl Pages for Store {
        type Page = Vec<String>;

        async fn page(&self, begin: Begin) -> Result<Listed<Vec<String>>> {
            let (told, answer) = oneshot::channel();
            self.waiting.lock().unwrap().push(told);
            answer.await.unwrap();
            let behind = |key: &String| match &begin {
                Begin::Beginning => true,
                Begin::Key(after) | Begin::Token(after) => key > after,
            };
            let mut keys = self.keys.iter().filter(|key| behind(key));
            let page: Vec<_> = keys.by_ref().take(self.of_page).cloned().collect();
            let next = keys.next().and_then(|_| page.last().cloned());
            Ok(Listed { page, next })
        }

        fn keys(page: &Vec<String>) -> Vec<&str> {
            page.iter().map(String::as_str).collect()
        }

        fn up_to(mut page: Vec<String>, end: &str) -> Vec<String> {
            page.retain(|key| key.as_str() <= end);
            page
        }
    }

    #[derive(Default)]
    struct Walked {
        keys: Vec<String>,
        calls: usize,
        round_trips: usize,
        most_in_flight: usize,
    }

    /// Lists all; whenever nothing can go on without an answer, all calls get theirs.
    fn walk(keys: impl IntoIterator<Item = String>, of_page: usize) -> Walked {
        let store = Store { keys: Arc::new(keys.into_iter().collect()), of_page, waiting: Arc::default() };
        let mut walked = Walked::default();
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let mut listing = InOrder::start(store.clone());
            loop {
                tokio::select! {
                    biased;
                    page = listing.next() => match page.unwrap() {
                        Some(page) => walked.keys.extend(page),
                        None => break,
                    },
                    waiting = all_that_wait(&store) => {
                        walked.calls += waiting.len();
                        walked.round_trips += 1;
                        walked.most_in_flight = walked.most_in_flight.max(waiting.len());
                        waiting.into_iter().for_each(|call| call.send(()).unwrap());
                    }
                }
            }
        });
        walked
    }

    async fn all_that_wait(store: &Store) -> Vec<oneshot::Sender<()>> {
        let mut known = 0;
        loop {
            tokio::task::yield_now().await;
            let now = store.waiting.lock().unwrap().len();
            if now > 0 && now == known {
                return std::mem::take(&mut *store.waiting.lock().unwrap());
            }
            known = now;
        }
    }

    #[test]
    fn one_page_is_one_call() {
        let walked = walk((0..1000).map(|number| format!("{number:05}")), 1000);
        assert_eq!((walked.keys.len(), walked.calls), (1000, 1));
    }

    #[test]
    fn many_pages_of_usual_names_come_in_a_fraction_of_the_time() {
        let digest = |number: u64| format!("{:016x}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let date =
            |number: u64| format!("2026/{:02}/{:02}/{:06}.json", number / 3000 % 12 + 1, number / 100 % 30 + 1, number);
        type Name = Box<dyn Fn(u64) -> String>;
        // How many calls and round trips there may be, for 300 pages.
        let names: [(&str, usize, usize, Name); 4] = [
            ("numbers", 400, 30, Box::new(|number| format!("in/{number:08}.json"))),
            ("digests", 450, 30, Box::new(digest)),
            // A page is a day, so that none tells of the next.
            ("dates", 900, 100, Box::new(date)),
            ("long", 450, 30, Box::new(move |number| format!("{}{}", "k".repeat(900), digest(number)))),
        ];
        for (what, most_calls, most_round_trips, name) in names {
            let Walked { keys, calls, round_trips, most_in_flight } = walk((0..30_000).map(name), 100);
            assert_eq!(keys.len(), 30_000, "{what}");
            assert!(calls <= most_calls, "{what}: {calls} calls");
            assert!(round_trips <= most_round_trips, "{what}: {round_trips} round trips");
            assert!(most_in_flight <= CALLS, "{what}");
        }
    }

    proptest! {
        #[test]
        fn every_key_comes_once_and_in_order(
            keys in proptest::collection::btree_set("[ab/01é]{0,6}|x{30}[0-9]{1,4}", 0..300),
            of_page in 1usize..20,
        ) {
            prop_assert_eq!(walk(keys.iter().cloned(), of_page).keys, keys.into_iter().collect::<Vec<_>>());
        }
    }
}
