//! What the function's environment variables say.

use crate::Env;

pub struct Config {
    /// `QUEUE_URL`: a FIFO queue.
    pub queue_url: String,
    /// `DIVERTED_QUEUE_URL`
    pub diverted_queue_url: String,
}

impl Config {
    /// The error is one line that names the variable.
    pub fn from_env(env: Env) -> Result<Self, String> {
        let named = |name: &str, what: &str| {
            env(name).filter(|value| !value.is_empty()).ok_or_else(|| format!("{name} is not set: it names {what}"))
        };
        let queue_url = named("QUEUE_URL", "the FIFO queue for messages")?;
        if !queue_url.ends_with(".fifo") {
            return Err(format!(
                "QUEUE_URL is {queue_url}: it has to be a FIFO queue, because only that keeps the order"
            ));
        }
        Ok(Self { queue_url, diverted_queue_url: named("DIVERTED_QUEUE_URL", "the queue for what cannot be handled")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_queue_keeps_the_order_and_the_second_one_is_needed() {
        let config = |queue: &str, diverted: &str| {
            Config::from_env(&|name| Some(if name == "QUEUE_URL" { queue } else { diverted }.to_owned()))
        };
        assert_eq!(config("q.fifo", "d").ok().unwrap().diverted_queue_url, "d");
        assert!(config("q", "d").err().unwrap().starts_with("QUEUE_URL is q"));
        assert!(config("", "d").err().unwrap().starts_with("QUEUE_URL is not set"));
        assert!(config("q.fifo", "").err().unwrap().starts_with("DIVERTED_QUEUE_URL"));
    }
}
