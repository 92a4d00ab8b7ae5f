//! A quote as an item of its table: what `quotes` leaves there and `payments-api` reads.

pub const QUOTE_ID: &str = "quote_id";
pub const SOURCE_CURRENCY: &str = "source_currency";
pub const TARGET_CURRENCY: &str = "target_currency";
pub const AMOUNT: &str = "amount";
pub const RATE: &str = "rate";
pub const TARGET_AMOUNT: &str = "target_amount";
/// Seconds since 1970: the table's time to live.
pub const EXPIRES_AT: &str = "expires_at";
