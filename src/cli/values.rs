//! Values of flags that are one of a few, with what each means.

use std::ops::RangeBounds;

use aws_sdk_s3::types::StorageClass;
use claimctl_core::units::parse_number_in;
use claimctl_deploy::project::{Architecture, Locking};
use claimctl_payloads::generate::Schema;
use claimctl_payloads::generate::payloads::Distribution;
use claimctl_payloads::upload::checksum::Algorithm;
use claimctl_queues::dead_letters::replay::OnRecorded;
use claimctl_queues::journal::ItemState;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::stacks::{self, Stack};

/// A word, what it means to the operator, and what it is.
type Choice<T> = (&'static str, &'static str, T);

const ARCHITECTURES: &[Choice<Architecture>] =
    &[("arm64", "", Architecture::Arm64), ("x86_64", "", Architecture::X86_64)];

const CHECKSUM_ALGORITHMS: &[Choice<Algorithm>] =
    &[("CRC64NVME", "", Algorithm::Crc64Nvme), ("CRC32", "", Algorithm::Crc32), ("CRC32C", "", Algorithm::Crc32c)];

const DISTRIBUTIONS: &[Choice<Distribution>] = &[
    ("skewed", "Many small ones and few large ones: each doubling is as likely as the next", Distribution::Skewed),
    ("uniform", "Every size is as likely as any other", Distribution::Uniform),
];

const LOCKINGS: &[Choice<Locking>] = &[
    ("lockfile", "A file beside the state (Terraform 1.10 or later)", Locking::Lockfile),
    ("table", "A DynamoDB table", Locking::Table),
    ("both", "Both, while moving from one to the other", Locking::Both),
];

const ON_RECORDED: &[Choice<OnRecorded>] = &[
    ("skip", "Leave it in the dead-letter queue", OnRecorded::Skip),
    ("delete", "Delete it: nothing is left to do for it", OnRecorded::Delete),
    ("send", "Send it all the same; a handler that works as promised changes nothing", OnRecorded::Send),
];

const SCHEMAS: &[Choice<Schema>] = &[
    ("products", "Name, category, price, stock, weight", Schema::Products),
    ("customers", "Name, e-mail address, country, orders, credit limit", Schema::Customers),
];

/// A number of items, in the words of every range.
pub fn number<T>(range: impl RangeBounds<u64> + Clone + Send + Sync + 'static) -> impl TypedValueParser<Value = T>
where
    T: TryFrom<u64> + Clone + Send + Sync + 'static,
{
    move |text: &str| {
        let number = parse_number_in(text, range.clone())?;
        T::try_from(number).map_err(|_| format!("{number} is too large"))
    }
}

pub fn architecture() -> impl TypedValueParser<Value = Architecture> {
    one_of(ARCHITECTURES)
}

pub fn checksum_algorithm() -> impl TypedValueParser<Value = Algorithm> {
    one_of(CHECKSUM_ALGORITHMS)
}

/// Those that an object can be put into (Amazon S3 User Guide, "Understanding and managing Amazon S3 storage classes").
pub fn storage_class() -> impl TypedValueParser<Value = StorageClass> {
    PossibleValuesParser::new([
        "STANDARD",
        "INTELLIGENT_TIERING",
        "STANDARD_IA",
        "ONEZONE_IA",
        "GLACIER_IR",
        "GLACIER",
        "DEEP_ARCHIVE",
    ])
    .map(|class| StorageClass::from(class.as_str()))
}

/// How the sizes of payloads are spread.
pub fn distribution() -> impl TypedValueParser<Value = Distribution> {
    one_of(DISTRIBUTIONS)
}

/// What the journal knows of an item.
pub fn item_state() -> impl TypedValueParser<Value = ItemState> {
    PossibleValuesParser::new(ItemState::ALL.map(ItemState::name)).try_map(|typed| {
        let state = ItemState::ALL.into_iter().find(|state| state.name() == typed);
        state.ok_or("not one of the possible values")
    })
}

pub fn locking() -> impl TypedValueParser<Value = Locking> {
    one_of(LOCKINGS)
}

pub fn on_recorded() -> impl TypedValueParser<Value = OnRecorded> {
    one_of(ON_RECORDED)
}

/// What the rows of a sample file are about.
pub fn schema() -> impl TypedValueParser<Value = Schema> {
    one_of(SCHEMAS)
}

/// A system that the sandbox has.
pub fn stack() -> impl TypedValueParser<Value = &'static Stack> {
    let possible = stacks::ALL.iter().map(|stack| PossibleValue::new(stack.name).help(stack.summary));
    PossibleValuesParser::new(possible).try_map(|typed| {
        let stack = stacks::ALL.iter().find(|stack| stack.name == typed);
        stack.copied().ok_or("not one of the possible values")
    })
}

fn one_of<T: Copy + Send + Sync + 'static>(choices: &'static [Choice<T>]) -> impl TypedValueParser<Value = T> {
    let possible = choices.iter().map(|(word, meaning, _)| match *meaning {
        "" => PossibleValue::new(word),
        meaning => PossibleValue::new(word).help(meaning),
    });
    PossibleValuesParser::new(possible).try_map(|typed| {
        let choice = choices.iter().find(|(word, ..)| *word == typed);
        choice.map(|(_, _, value)| *value).ok_or("not one of the possible values")
    })
}
