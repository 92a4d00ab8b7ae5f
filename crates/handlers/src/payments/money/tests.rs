//! Money by properties, and by what ISO 4217 says.

use std::sync::OnceLock;

use proptest::prelude::*;

use super::*;

fn currency(code: &str) -> Currency {
    Currency::parse(code).unwrap()
}

fn money(text: &str, code: &str) -> Result<Money, NotMoney> {
    Money::parse_positive(text, currency(code))
}

/// Every code of three letters that is a currency with minor units.
fn currencies() -> &'static [Currency] {
    static ALL: OnceLock<Vec<Currency>> = OnceLock::new();
    let letters = || 'A'..='Z';
    let codes = || {
        letters().flat_map(move |a| {
            letters().flat_map(move |b| letters().map(move |c| [a, b, c].iter().collect::<String>()))
        })
    };
    ALL.get_or_init(|| codes().filter_map(|code| Currency::parse(&code).ok()).collect())
}

/// The list one of ISO 4217, where it does not say two.
#[test]
fn minor_units_are_those_of_iso_4217() {
    let all = currencies();
    assert!(all.len() > 150, "{}", all.len());
    for currency in all.iter().copied() {
        let expected = match currency.code() {
            "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI" | "VND"
            | "VUV" | "XAF" | "XOF" | "XPF" => 0,
            "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
            "CLF" | "UYW" => 4,
            _ => 2,
        };
        assert_eq!(currency.decimals, expected, "{}", currency.code());
    }
    for code in ["XAU", "XAG", "XDR", "XXX", "XTS"] {
        assert_eq!(Currency::parse(code), Err(NotMoney::NoMinorUnits(code)));
    }
    for code in ["", "eur", "EU", "EURO", "ÉUR", "AAA"] {
        assert_eq!(Currency::parse(code), Err(NotMoney::UnknownCurrency), "{code}");
    }
}

#[test]
fn what_is_no_amount_is_refused() {
    for text in [
        "",
        " ",
        "1e3",
        "+1",
        "01",
        "1.",
        ".1",
        "1.00000",
        "1 ",
        " 1",
        "1,0",
        "1.0.0",
        "0x1",
        "١",
        "1_000",
        "NaN",
        "inf",
        "--1",
        "-",
        "-01",
        "1000000000000",
        "1000000000000000000",
    ] {
        assert_eq!(money(text, "CLF"), Err(NotMoney::Shape), "{text}");
    }
    for text in ["0", "0.00", "-1", "-0", "-0.01"] {
        assert_eq!(money(text, "EUR"), Err(NotMoney::NotPositive), "{text}");
    }
    for (text, code) in [("1.001", "EUR"), ("1.000", "EUR"), ("0.001", "JPY"), ("1.0", "JPY"), ("1.0001", "KWD")] {
        assert_eq!(money(text, code), Err(NotMoney::Decimals(currency(code))), "{text} {code}");
    }
    assert_eq!(NotMoney::Decimals(currency("JPY")).to_string(), "JPY has no decimals");
    assert_eq!(NotMoney::Decimals(currency("EUR")).to_string(), "EUR has no more than 2 decimals");
}

#[test]
fn the_largest_and_the_smallest_are_amounts() {
    assert_eq!(money("999999999999.9999", "CLF").unwrap().to_string(), "999999999999.9999");
    assert_eq!(money("0.0001", "CLF").unwrap().to_string(), "0.0001");
    assert_eq!(money("7", "EUR").unwrap().to_string(), "7.00");
}

#[test]
fn a_rate_is_a_decimal_of_up_to_twelve_digits() {
    for text in ["", "0", "0.0", "-1", "+1", "1e2", "1.", ".5", "1.0000000000001", "1234567890123", "NaN"] {
        assert_eq!(Rate::parse(text), None, "{text}");
    }
    for (text, shown) in
        [("1.0842", "1.0842"), ("01.50", "1.5"), ("999999999999", "999999999999"), ("0.000000000001", "0.000000000001")]
    {
        assert_eq!(Rate::parse(text).unwrap().to_string(), shown);
    }
}

/// Any amount in minor units, with its currency.
fn amount() -> impl Strategy<Value = (i128, Currency)> {
    let all = currencies();
    (0..all.len(), proptest::num::u64::ANY, 1_u32..=16).prop_map(move |(at, units, digits)| {
        let currency = all[at];
        let largest = 10_i128.pow(digits.min(12 + currency.decimals));
        (i128::from(units) % (largest - 1) + 1, currency)
    })
}

/// As ISO 4217 writes it: by integers alone.
fn written(units: i128, decimals: u32) -> String {
    let one = 10_i128.pow(decimals);
    if decimals == 0 {
        return units.to_string();
    }
    format!("{}.{:0width$}", units / one, units % one, width = decimals as usize)
}

fn rate() -> impl Strategy<Value = Rate> {
    (1_i64..1_000_000_000_000, 0_u32..=12)
        .prop_map(|(digits, scale)| Rate::parse(&Decimal::new(digits, scale).to_string()).unwrap())
}

proptest! {
    #[test]
    fn what_is_written_is_read_and_written_again((units, currency) in amount()) {
        let text = written(units, currency.decimals);
        let money = Money::parse_positive(&text, currency).unwrap();
        prop_assert_eq!(money.to_string(), text);
        prop_assert_eq!(money.minor_units(), units);
    }

    /// Shorter spellings of the same amount are the same amount, and a decimal too many is none.
    #[test]
    fn an_amount_has_one_spelling((units, currency) in amount()) {
        let text = written(units, currency.decimals);
        if text.contains('.') {
            let short = text.trim_end_matches('0').trim_end_matches('.');
            prop_assert_eq!(Money::parse_positive(short, currency).unwrap().to_string(), text.clone());
        }
        if currency.decimals < 4 {
            let long = if text.contains('.') { format!("{text}0") } else { format!("{text}.0") };
            prop_assert_eq!(Money::parse_positive(&long, currency), Err(NotMoney::Decimals(currency)));
        }
    }

    #[test]
    fn sums_are_exact(all in proptest::collection::vec(0_i128..1_000_000_000, 1..200)) {
        let eur = currency("EUR");
        let amounts = all.iter().map(|units| Money::parse(&written(*units, 2), eur).unwrap().amount);
        let sum: Decimal = amounts.sum();
        prop_assert_eq!(sum.to_string(), written(all.iter().sum(), 2));
    }

    /// By integers: twice the error is at most one minor unit, and where it is one, the result is even.
    #[test]
    fn a_conversion_is_off_by_half_a_minor_unit_at_most((units, source) in amount(), rate in rate(), to in 0_usize..150) {
        let to = currencies()[to];
        let money = Money::parse_positive(&written(units, source.decimals), source).unwrap();
        // units · rate, in units of 10^-scale minor units of the target.
        let scale = source.decimals + rate.decimal().scale();
        let exact = units * rate.decimal().mantissa();
        let nearest = |numerator: i128, denominator: i128| {
            let (whole, twice) = (numerator / denominator, 2 * (numerator % denominator));
            whole + i128::from(twice > denominator || (twice == denominator && whole % 2 == 1))
        };
        let expected = if to.decimals >= scale {
            exact * 10_i128.pow(to.decimals - scale)
        } else {
            nearest(exact, 10_i128.pow(scale - to.decimals))
        };
        match money.convert(rate, to) {
            Ok(converted) => prop_assert_eq!(converted.minor_units(), expected),
            Err(NotMoney::TooSmall) => prop_assert_eq!(expected, 0),
            Err(NotMoney::TooLarge) => prop_assert!(expected >= 10_i128.pow(12 + to.decimals)),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    /// Both ways with a derived rate one is back within what twelve digits can say.
    #[test]
    fn an_inverse_is_one_to_twelve_digits(rate in rate()) {
        let product = rate.decimal() * rate.inverse().unwrap().decimal();
        prop_assert!((product - Decimal::ONE).abs() <= Decimal::new(1, 11), "{product}");
    }

    #[test]
    fn any_text_is_an_amount_or_not_and_never_a_panic(text in "[0-9.eE+-]{0,24}|\\PC{0,24}") {
        if let Ok(money) = Money::parse(&text, currency("EUR")) {
            prop_assert_eq!(Money::parse(&money.to_string(), currency("EUR")), Ok(money));
        }
        Rate::parse(&text);
    }
}
