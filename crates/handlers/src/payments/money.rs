//! Amounts of money: decimals with the minor units of their ISO 4217 currency, and never a binary fraction.

use std::fmt;

use rust_decimal::{Decimal, RoundingStrategy};

/// Digits before the point of any amount.
const MOST_WHOLE_DIGITS: usize = 12;
/// Of the currency with the most minor units.
const MOST_DECIMALS: usize = 4;
/// Of a rate, so that its product with every amount is exact: 16 digits and 12 are less than the 28 that a decimal holds.
const RATE_DIGITS: u32 = 12;
const RATE_DECIMALS: u32 = 12;

/// What an amount has to be, as a request is told.
pub const FORM: &str =
    "a decimal in a string: up to twelve digits, then perhaps a point and up to four more, as in \"10.00\"";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Currency {
    code: &'static str,
    decimals: u32,
}

/// An amount, with exactly the decimals of its currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    amount: Decimal,
    currency: Currency,
}

/// How much of one currency another one costs; more than zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(Decimal);

/// What keeps a text from being an amount of money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotMoney {
    /// Not digits with a point: as a number of JSON, it would be of a wrong type.
    Shape,
    UnknownCurrency,
    /// A code of ISO 4217 without minor units, such as that of gold.
    NoMinorUnits(&'static str),
    Decimals(Currency),
    NotPositive,
    TooLarge,
    TooSmall,
}

impl Currency {
    pub fn parse(code: &str) -> Result<Self, NotMoney> {
        let known = iso_currency::Currency::from_code(code).ok_or(NotMoney::UnknownCurrency)?;
        let code = known.code();
        let decimals = known.exponent().ok_or(NotMoney::NoMinorUnits(code))?;
        Ok(Self { code, decimals: decimals.into() })
    }

    pub fn code(self) -> &'static str {
        self.code
    }
}

/// Whether it may be the code of a currency; whether it is one, ISO 4217 says.
pub fn may_be_a_code(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Whether it has the form of an amount, or of one below zero, which is refused for what it says.
pub fn may_be_an_amount(text: &str) -> bool {
    has_the_form(text.strip_prefix('-').unwrap_or(text))
}

/// Whether a text has the form of an amount: digits without a zero before them, and at most four behind a point.
fn has_the_form(text: &str) -> bool {
    let (whole, decimals) = match text.split_once('.') {
        Some((whole, decimals)) => (whole, Some(decimals)),
        None => (text, None),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let whole_is = (1..=MOST_WHOLE_DIGITS).contains(&whole.len())
        && all_digits(whole)
        && (whole == "0" || !whole.starts_with('0'));
    whole_is && decimals.is_none_or(|decimals| (1..=MOST_DECIMALS).contains(&decimals.len()) && all_digits(decimals))
}

impl Money {
    /// An amount of zero or more.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, NotMoney> {
        if !may_be_an_amount(text) {
            return Err(NotMoney::Shape);
        }
        if text.starts_with('-') {
            return Err(NotMoney::NotPositive);
        }
        let amount = Decimal::from_str_exact(text).map_err(|_| NotMoney::Shape)?;
        if amount.scale() > currency.decimals {
            return Err(NotMoney::Decimals(currency));
        }
        Ok(Self::of(amount, currency))
    }

    /// What is paid: more than zero.
    pub fn parse_positive(text: &str, currency: Currency) -> Result<Self, NotMoney> {
        let money = Self::parse(text, currency)?;
        if money.amount.is_zero() { Err(NotMoney::NotPositive) } else { Ok(money) }
    }

    /// The same in another currency, rounded half to even.
    pub fn convert(self, rate: Rate, to: Currency) -> Result<Self, NotMoney> {
        let exact = self.amount.checked_mul(rate.0).ok_or(NotMoney::TooLarge)?;
        let amount = exact.round_dp_with_strategy(to.decimals, RoundingStrategy::MidpointNearestEven);
        if amount >= Decimal::from(10_u64.pow(MOST_WHOLE_DIGITS as u32)) {
            return Err(NotMoney::TooLarge);
        }
        if amount.is_zero() { Err(NotMoney::TooSmall) } else { Ok(Self::of(amount, to)) }
    }

    pub fn currency(self) -> Currency {
        self.currency
    }

    /// Whether it is more than another amount of the same currency.
    pub fn exceeds(self, limit: Self) -> bool {
        self.currency == limit.currency && self.amount > limit.amount
    }

    fn of(mut amount: Decimal, currency: Currency) -> Self {
        amount.rescale(currency.decimals);
        Self { amount, currency }
    }

    #[cfg(test)]
    pub fn minor_units(self) -> i128 {
        self.amount.mantissa()
    }
}

/// The amount alone, with all decimals of its currency.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.amount.fmt(f)
    }
}

impl Rate {
    /// `None` for what is none: not digits with a point, zero, or of more than twelve digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let is_decimal = match text.split_once('.') {
            Some((whole, decimals)) => digits(whole) && digits(decimals),
            None => digits(text),
        };
        let rate = is_decimal.then(|| Decimal::from_str_exact(text).ok())??.normalize();
        let exact = rate.mantissa() < 10_i128.pow(RATE_DIGITS) && rate.scale() <= RATE_DECIMALS;
        (exact && !rate.is_zero()).then_some(Self(rate))
    }

    /// Of the other direction, to twelve digits.
    pub fn inverse(self) -> Option<Self> {
        let inverse = Decimal::ONE.checked_div(self.0)?.round_sf(RATE_DIGITS)?.normalize();
        (!inverse.is_zero()).then_some(Self(inverse))
    }

    #[cfg(test)]
    pub fn decimal(self) -> Decimal {
        self.0
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for NotMoney {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape => write!(f, "has to be {FORM}"),
            Self::UnknownCurrency => f.write_str("is no currency of ISO 4217, as in \"EUR\""),
            Self::NoMinorUnits(code) => write!(f, "{code} is not money to pay with: ISO 4217 gives it no minor units"),
            Self::Decimals(Currency { code, decimals: 0 }) => write!(f, "{code} has no decimals"),
            Self::Decimals(Currency { code, decimals }) => write!(f, "{code} has no more than {decimals} decimals"),
            Self::NotPositive => f.write_str("has to be more than zero"),
            Self::TooLarge => f.write_str("is too large: in the other currency it has more than twelve digits"),
            Self::TooSmall => f.write_str("is too small: in the other currency nothing is left of it"),
        }
    }
}

#[cfg(test)]
mod tests;
