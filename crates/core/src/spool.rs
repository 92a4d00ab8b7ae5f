//! Lists that do not grow in memory: beyond a threshold they go on in temporary files, as they came ([`Spool`]) or
//! sorted ([`Sorter`]). So `verify` compares buckets of any size.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Lines, Seek, SeekFrom, Write};
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Items kept in memory before they are written out; at about two hundred bytes each, some ten MiB.
const IN_MEMORY: usize = 65_536;

fn on_disk(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::unexpected("cannot use a temporary file")
        .caused_by(error)
        .hint("temporary files go to TMPDIR: is there room, and may it be written?")
}

/// A chunk of the items in a temporary file, a JSON document per line. The file has no name and goes with the process.
struct Chunk<T> {
    file: File,
    item: PhantomData<T>,
}

impl<T: Serialize + DeserializeOwned> Chunk<T> {
    fn write(items: &[T]) -> Result<Chunk<T>> {
        Chunk::write_to(tempfile::tempfile().map_err(on_disk)?, items)
    }

    fn write_to(file: File, items: &[T]) -> Result<Chunk<T>> {
        let mut out = BufWriter::new(file);
        for item in items {
            serde_json::to_writer(&mut out, item).map_err(on_disk)?;
            out.write_all(b"\n").map_err(on_disk)?;
        }
        let mut file = out.into_inner().map_err(|error| on_disk(error.into_error()))?;
        file.rewind().map_err(on_disk)?;
        Ok(Chunk { file, item: PhantomData })
    }

    /// Behind what is there.
    fn append(self, items: &[T]) -> Result<Chunk<T>> {
        let mut file = self.file;
        file.seek(SeekFrom::End(0)).map_err(on_disk)?;
        Chunk::write_to(file, items)
    }

    fn read(self) -> ChunkReader<T> {
        ChunkReader { lines: BufReader::new(self.file).lines(), item: PhantomData }
    }

    /// Reads from the beginning. Two readers of one chunk at once would share a place in the file.
    fn reread(&self) -> Result<ChunkReader<T>> {
        let mut file = self.file.try_clone().map_err(on_disk)?;
        file.rewind().map_err(on_disk)?;
        Ok(Chunk { file, item: PhantomData }.read())
    }
}

struct ChunkReader<T> {
    lines: Lines<BufReader<File>>,
    item: PhantomData<T>,
}

impl<T: DeserializeOwned> Iterator for ChunkReader<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        let line = self.lines.next()?;
        Some(line.map_err(on_disk).and_then(|line| serde_json::from_str(&line).map_err(on_disk)))
    }
}

/// Items in the order in which they came.
pub struct Spool<T> {
    /// All but the recent ones, in one file.
    chunk: Option<Chunk<T>>,
    recent: Vec<T>,
    len: u64,
    /// Items kept in memory.
    most: usize,
}

impl<T> Default for Spool<T> {
    fn default() -> Self {
        Spool { chunk: None, recent: Vec::new(), len: 0, most: IN_MEMORY }
    }
}

impl<T: Serialize + DeserializeOwned> Spool<T> {
    pub fn new() -> Self {
        Spool::default()
    }

    /// With so many items in memory at most: for heavy ones.
    pub fn holding(most: usize) -> Self {
        Spool { most, ..Spool::default() }
    }

    pub fn push(&mut self, item: T) -> Result<()> {
        self.recent.push(item);
        self.len += 1;
        if self.recent.len() >= self.most {
            self.chunk = Some(match self.chunk.take() {
                Some(chunk) => chunk.append(&self.recent)?,
                None => Chunk::write(&self.recent)?,
            });
            self.recent.clear();
        }
        Ok(())
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first items, for a report that shows a few.
    pub fn head(&self, count: usize) -> Result<Vec<T>>
    where
        T: Clone,
    {
        let first = self.chunk.as_ref().map(Chunk::reread).transpose()?;
        first.into_iter().flatten().chain(self.recent.iter().cloned().map(Ok)).take(count).collect()
    }

    /// All items, from the first: the file may have been read before.
    pub fn drain(self) -> impl Iterator<Item = Result<T>> {
        let (chunk, failed) = match self.chunk.as_ref().map(Chunk::reread).transpose() {
            Ok(chunk) => (chunk, None),
            Err(error) => (None, Some(Err(error))),
        };
        failed.into_iter().chain(chunk.into_iter().flatten()).chain(self.recent.into_iter().map(Ok))
    }
}

impl<T: Serialize + DeserializeOwned> Serialize for Spool<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::{Error as _, SerializeSeq};
        let mut list = serializer.serialize_seq(usize::try_from(self.len).ok())?;
        if let Some(chunk) = &self.chunk {
            for item in chunk.reread().map_err(S::Error::custom)? {
                list.serialize_element(&item.map_err(S::Error::custom)?)?;
            }
        }
        self.recent.iter().try_for_each(|item| list.serialize_element(item))?;
        list.end()
    }
}

/// Items in the order of their sort key, whatever the order in which they came: an external merge sort.
pub struct Sorter<T> {
    key: fn(&T) -> &str,
    chunks: Vec<Chunk<T>>,
    recent: Vec<T>,
}

impl<T: Serialize + DeserializeOwned + 'static> Sorter<T> {
    pub fn by(key: fn(&T) -> &str) -> Self {
        Sorter { key, chunks: Vec::new(), recent: Vec::new() }
    }

    pub fn push(&mut self, item: T) -> Result<()> {
        self.recent.push(item);
        if self.recent.len() >= IN_MEMORY {
            self.sort_recent();
            self.chunks.push(Chunk::write(&self.recent)?);
            self.recent.clear();
        }
        Ok(())
    }

    pub fn sorted(mut self) -> Sorted<T> {
        self.sort_recent();
        let key = self.key;
        let mut sources: Vec<Box<dyn Iterator<Item = Result<T>>>> = Vec::new();
        for chunk in self.chunks {
            sources.push(Box::new(chunk.read()));
        }
        sources.push(Box::new(self.recent.into_iter().map(Ok)));
        let heads = sources.iter().map(|_| None).collect();
        Sorted { key, sources, heads, order: BinaryHeap::new(), started: false }
    }

    fn sort_recent(&mut self) {
        let key = self.key;
        self.recent.sort_unstable_by(|a, b| key(a).cmp(key(b)));
    }
}

pub struct Sorted<T> {
    key: fn(&T) -> &str,
    sources: Vec<Box<dyn Iterator<Item = Result<T>>>>,
    heads: Vec<Option<T>>,
    order: BinaryHeap<Reverse<(String, usize)>>,
    started: bool,
}

impl<T> Sorted<T> {
    fn refill(&mut self, source: usize) -> Result<()> {
        self.heads[source] = self.sources[source].next().transpose()?;
        if let Some(head) = &self.heads[source] {
            self.order.push(Reverse(((self.key)(head).to_owned(), source)));
        }
        Ok(())
    }

    pub fn take_next(&mut self) -> Result<Option<T>> {
        if !self.started {
            self.started = true;
            (0..self.sources.len()).try_for_each(|source| self.refill(source))?;
        }
        let Some(Reverse((_, source))) = self.order.pop() else { return Ok(None) };
        let item = self.heads[source].take();
        self.refill(source)?;
        Ok(item)
    }

    /// The next item, into which all others of its key are merged.
    pub fn take_next_merged(&mut self, merge: impl Fn(T, T) -> T) -> Result<Option<T>> {
        let Some(mut item) = self.take_next()? else { return Ok(None) };
        while self.order.peek().is_some_and(|Reverse((key, _))| key == (self.key)(&item)) {
            let Some(other) = self.take_next()? else { break };
            item = merge(item, other);
        }
        Ok(Some(item))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_long_list_comes_back_as_it_went_in() {
        let mut spool = Spool::new();
        let numbers: Vec<u32> = (0..(IN_MEMORY as u32 * 2 + 7)).collect();
        numbers.iter().try_for_each(|number| spool.push(*number)).unwrap();
        assert_eq!(spool.len(), numbers.len() as u64);
        assert_eq!(spool.drain().collect::<Result<Vec<u32>>>().unwrap(), numbers);
    }

    #[test]
    fn heavy_items_are_in_memory_a_few_at_a_time_and_in_one_file() {
        let mut spool = Spool::holding(4);
        for number in 0..30u32 {
            spool.push(number.to_string().repeat(1000)).unwrap();
            assert!(spool.recent.len() < 4);
            // Reading in between moves nothing.
            assert_eq!(spool.head(1).unwrap(), ["0".repeat(1000)]);
        }
        let written = serde_json::to_value(&spool).unwrap();
        let expected: Vec<String> = (0..30u32).map(|number| number.to_string().repeat(1000)).collect();
        assert!(written == serde_json::json!(expected), "some are not in the document");
        assert!(spool.drain().collect::<Result<Vec<String>>>().unwrap() == expected, "some are lost");
    }

    #[test]
    fn a_long_list_is_sorted_across_stretches() {
        let mut sorter = Sorter::by(|text: &String| text);
        // A fixed stride visits every residue once, in an order that is not sorted.
        let count = IN_MEMORY * 2 + 7;
        (0..count).try_for_each(|i| sorter.push(format!("{:08}", i * 7_919 % count))).unwrap();
        let mut sorted = sorter.sorted();
        for expected in 0..count {
            assert_eq!(sorted.take_next().unwrap().unwrap(), format!("{expected:08}"));
        }
        assert!(sorted.take_next().unwrap().is_none());
    }

    proptest! {
        #[test]
        fn sorting_agrees_with_the_order_of_bytes(mut texts in proptest::collection::vec(".{0,12}", 0..40)) {
            let mut sorter = Sorter::by(|text: &String| text);
            texts.iter().try_for_each(|text| sorter.push(text.clone())).unwrap();
            let mut sorted = sorter.sorted();
            texts.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
            for text in texts {
                prop_assert_eq!(sorted.take_next().unwrap(), Some(text));
            }
        }
    }
}
