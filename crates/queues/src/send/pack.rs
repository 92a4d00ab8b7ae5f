//! Packs messages into batches: full ones, within the service's limits, and never out of a group's order.
//!
//! SQS may take one entry of a batch and refuse the one before it. So a batch holds one message of a FIFO group at
//! most, and the next of that group is packed when the fate of the first is known.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::limits::{BYTES, ENTRIES};
use super::outgoing::Outgoing;

/// Messages that wait to be packed. The owner bounds how many, by [`Packer::weight`].
#[derive(Debug)]
pub struct Packer {
    /// FIFO: each group has one message on its way.
    ordered: bool,
    next: u64,
    /// What can go now, in the order of the input.
    ready: BTreeMap<u64, Outgoing>,
    /// Groups with a message that is ready or on its way, and those that wait behind it.
    behind: HashMap<Box<str>, VecDeque<(u64, Outgoing)>>,
    weight: usize,
}

impl Packer {
    pub fn new(ordered: bool) -> Packer {
        Packer { ordered, next: 0, ready: BTreeMap::new(), behind: HashMap::new(), weight: 0 }
    }

    pub fn push(&mut self, message: Outgoing) {
        self.weight += message.weight();
        let place = self.next;
        self.next += 1;
        let group = message.group.as_ref().filter(|_| self.ordered);
        match group.and_then(|group| self.behind.get_mut(group)) {
            Some(waiting) => waiting.push_back((place, message)),
            None => {
                if let Some(group) = group {
                    self.behind.insert(group.clone(), VecDeque::new());
                }
                self.ready.insert(place, message);
            }
        }
    }

    /// The fate of the group's message is known: the next one may go.
    pub fn group_answered(&mut self, group: &str) {
        match self.behind.get_mut(group).map(VecDeque::pop_front) {
            Some(Some((place, message))) => drop(self.ready.insert(place, message)),
            Some(None) => drop(self.behind.remove(group)),
            None => {}
        }
    }

    /// What the group's message left behind will not be sent: it stays undone.
    pub fn abandon(&mut self, group: &str) -> impl Iterator<Item = Outgoing> + use<> {
        let left = self.behind.remove(group).unwrap_or_default();
        self.weight -= left.iter().map(|(_, message)| message.weight()).sum::<usize>();
        left.into_iter().map(|(_, message)| message)
    }

    /// How many of the messages that are ready make the next batch, of `most` entries and ten at most; and whether it
    /// could take no more, so that waiting for more is in vain.
    pub fn next_batch(&self, most: usize) -> (usize, bool) {
        let most = most.min(ENTRIES);
        let mut bytes = 0;
        for (number, message) in self.ready.values().enumerate() {
            bytes += message.bytes();
            if number == most || bytes > BYTES {
                return (number.max(1), true);
            }
        }
        (self.ready.len(), self.ready.len() >= most)
    }

    /// The next batch, in the order of the input; empty when nothing is ready.
    pub fn take(&mut self, most: usize) -> Vec<Outgoing> {
        let (number, _) = self.next_batch(most);
        let batch: Vec<_> = (0..number).filter_map(|_| self.ready.pop_first()).map(|(_, message)| message).collect();
        self.weight -= batch.iter().map(Outgoing::weight).sum::<usize>();
        batch
    }

    /// Memory that the waiting messages occupy, in bytes, about.
    pub fn weight(&self) -> usize {
        self.weight
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn message(number: usize, size: usize, group: Option<usize>) -> Outgoing {
        Outgoing {
            item: number.to_string().into(),
            group: group.map(|group| group.to_string().into()),
            ..Outgoing::of_body(&"x".repeat(size))
        }
    }

    fn number(message: &Outgoing) -> usize {
        message.item.parse().unwrap()
    }

    fn packed(sizes: &[usize]) -> Vec<usize> {
        let mut packer = Packer::new(false);
        sizes.iter().enumerate().for_each(|(index, size)| packer.push(message(index, *size, None)));
        let batches = std::iter::from_fn(|| Some(packer.take(ENTRIES)).filter(|batch| !batch.is_empty()));
        batches.map(|batch| batch.len()).collect()
    }

    #[test]
    fn batches_are_as_full_as_the_limits_allow() {
        assert_eq!(packed(&[1; 25]), [10, 10, 5]);
        assert_eq!(packed(&[BYTES, BYTES, 1]), [1, 1, 1]);
        assert_eq!(packed(&[BYTES / 2, BYTES / 2, 1]), [2, 1]);
        assert_eq!(packed(&[BYTES / 10; 20]), [10, 10]);
    }

    #[test]
    fn a_batch_is_known_to_be_full_before_it_is_taken() {
        let mut packer = Packer::new(false);
        (0..9).for_each(|index| packer.push(message(index, 1, None)));
        assert!(!packer.next_batch(10).1 && packer.next_batch(9).1);
        packer.push(message(9, BYTES, None));
        assert_eq!(packer.next_batch(10), (9, true), "the tenth does not fit");
        assert_eq!((packer.take(10).len(), packer.take(10).len()), (9, 1));
        assert!(!packer.next_batch(10).1 && packer.weight() == 0);
    }

    #[test]
    fn a_group_has_one_message_on_its_way() {
        let mut packer = Packer::new(true);
        for (index, group) in [0, 0, 1, 0].into_iter().enumerate() {
            packer.push(message(index, 1, Some(group)));
        }
        assert_eq!(packer.take(10).iter().map(number).collect::<Vec<_>>(), [0, 2]);
        assert!(packer.take(10).is_empty());
        packer.group_answered("1");
        assert!(packer.next_batch(10).0 == 0);
        packer.group_answered("0");
        assert_eq!(packer.take(10).iter().map(number).collect::<Vec<_>>(), [1]);
        assert_eq!(packer.abandon("0").map(|message| number(&message)).collect::<Vec<_>>(), [3]);
        assert_eq!(packer.weight(), 0);
        packer.push(message(4, 1, Some(0)));
        assert_eq!(packer.take(10).len(), 1, "a settled group begins anew");
    }

    #[test]
    fn in_a_standard_queue_groups_do_not_wait() {
        let mut packer = Packer::new(false);
        (0..10).for_each(|index| packer.push(message(index, 1, Some(7))));
        assert_eq!(packer.take(10).len(), 10);
    }

    proptest! {
        /// Batches come and settle in any order; whatever happens, limits and groups hold, and nothing is left out.
        #[test]
        fn limits_hold_and_no_group_is_reordered(
            messages in proptest::collection::vec((1..BYTES, proptest::option::of(0..5_usize)), 1..60),
            ordered: bool,
            most in 1..=ENTRIES,
            choices in proptest::collection::vec(0..3_usize, 400),
        ) {
            let mut packer = Packer::new(ordered);
            let mut input = messages.iter().enumerate();
            let mut open: Vec<Vec<Outgoing>> = Vec::new();
            let mut sent: Vec<usize> = Vec::new();
            let mut choices = choices.into_iter().chain(std::iter::repeat(2));
            while sent.len() < messages.len() {
                match choices.next().unwrap() {
                    0 => drop(input.next().map(|(index, (size, group))| packer.push(message(index, *size, *group)))),
                    choice if !open.is_empty() && (choice == 1 || packer.next_batch(10).0 == 0) => {
                        // The newest batch is answered first: the worst order there is.
                        for message in open.pop().unwrap() {
                            sent.push(number(&message));
                            message.group.iter().for_each(|group| packer.group_answered(group));
                        }
                    }
                    _ if packer.next_batch(10).0 > 0 => {
                        let batch = packer.take(most);
                        prop_assert!((1..=most).contains(&batch.len()));
                        prop_assert!(batch.iter().map(Outgoing::bytes).sum::<usize>() <= BYTES);
                        prop_assert!(batch.is_sorted_by_key(number));
                        open.push(batch);
                        let mut groups: Vec<_> = open.iter().flatten().filter_map(|it| it.group.clone()).collect();
                        let all = groups.len();
                        groups.sort();
                        groups.dedup();
                        prop_assert!(!ordered || groups.len() == all, "a group is on its way twice");
                    }
                    _ => drop(input.next().map(|(index, (size, group))| packer.push(message(index, *size, *group)))),
                }
            }
            prop_assert_eq!(packer.weight(), 0);
            let mut by_group: HashMap<usize, Vec<usize>> = HashMap::new();
            for index in &sent {
                if let Some(group) = messages[*index].1 {
                    by_group.entry(group).or_default().push(*index);
                }
            }
            prop_assert!(!ordered || by_group.values().all(|indices| indices.is_sorted()));
            sent.sort_unstable();
            prop_assert_eq!(sent, (0..messages.len()).collect::<Vec<_>>());
        }
    }
}
