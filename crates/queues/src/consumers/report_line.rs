//! What an invocation took, by the line that Lambda writes at its end: as text, or as JSON where the function logs so
//! (AWS Lambda Developer Guide, "Sending Lambda function logs to CloudWatch Logs").

use serde::Serialize;
use serde_json::Value;

/// The JSON form is a contract. None: there is no such line, or it does not say.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize)]
pub struct Usage {
    pub duration_ms: Option<f64>,
    pub billed_ms: Option<u64>,
    /// Before the first invocation of an environment.
    pub init_ms: Option<f64>,
    pub memory_mb: Option<u64>,
    pub max_memory_used_mb: Option<u64>,
}

impl Usage {
    /// Of the last such line.
    pub fn of(log: &[String]) -> Usage {
        log.iter().rev().find_map(|line| read(line)).unwrap_or_default()
    }
}

fn read(line: &str) -> Option<Usage> {
    if line.starts_with("REPORT RequestId:") {
        let fields = line.split('\t').filter_map(|field| field.split_once(':'));
        let value = |wanted: &str| {
            let (_, value) = fields.clone().find(|(name, _)| name.trim() == wanted)?;
            value.split_whitespace().next()?.parse().ok()
        };
        return Some(Usage::from_numbers([
            value("Duration"),
            value("Billed Duration"),
            value("Init Duration"),
            value("Memory Size"),
            value("Max Memory Used"),
        ]));
    }
    let event: Value = serde_json::from_str(line).ok().filter(|_| line.contains("platform.report"))?;
    let metrics = event.get("record")?.get("metrics")?;
    let names = ["durationMs", "billedDurationMs", "initDurationMs", "memorySizeMB", "maxMemoryUsedMB"];
    Some(Usage::from_numbers(names.map(|name| metrics.get(name).and_then(Value::as_f64))))
}

impl Usage {
    fn from_numbers([duration, billed, init, memory, used]: [Option<f64>; 5]) -> Usage {
        let whole = |number: Option<f64>| number.map(|number| number.round() as u64);
        Usage {
            duration_ms: duration,
            billed_ms: whole(billed),
            init_ms: init,
            memory_mb: whole(memory),
            max_memory_used_mb: whole(used),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_read_as_text_and_as_json() {
        let text = "REPORT RequestId: 8f5e\tDuration: 102.25 ms\tBilled Duration: 240 ms\tMemory Size: 512 MB\t\
                    Max Memory Used: 31 MB\tInit Duration: 137.50 ms\t";
        let json = r#"{"time":"2026-01-31T12:00:00.000Z","type":"platform.report","record":{"requestId":"8f5e","metrics":
            {"durationMs":102.25,"billedDurationMs":240,"memorySizeMB":512,"maxMemoryUsedMB":31,"initDurationMs":137.5},
            "status":"success"}}"#;
        let usage = Usage {
            duration_ms: Some(102.25),
            billed_ms: Some(240),
            init_ms: Some(137.5),
            memory_mb: Some(512),
            max_memory_used_mb: Some(31),
        };
        let log = |line: &str| vec!["START".to_owned(), line.replace('\n', " "), "after it".to_owned()];
        assert_eq!(Usage::of(&log(text)), usage);
        assert_eq!(Usage::of(&log(json)), usage);
        let without_init = "REPORT RequestId: 8f5e\tDuration: 1.00 ms\tBilled Duration: 1 ms\tMemory Size: 128 MB";
        assert_eq!(Usage::of(&log(without_init)).init_ms, None);
        assert_eq!(Usage::of(&log("no report")), Usage::default());
    }
}
