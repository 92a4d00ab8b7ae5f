//! Watches what a replay does to others: the age of the oldest message in the queue that is sent to, and the throttles
//! of the functions behind it, as CloudWatch has them.

use std::time::Duration;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use claimctl_aws::Explain;
use claimctl_aws::policy::Statement;
use claimctl_core::error::Result;
use jiff::Timestamp;
use tokio::sync::oneshot;

const GET: &str = "cloudwatch:GetMetricData";
/// Both metrics have a value a minute (Amazon SQS Developer Guide, "Available CloudWatch metrics for Amazon SQS"; AWS
/// Lambda Developer Guide, "Types of metrics for Lambda functions").
const PERIOD: i32 = 60;
pub const EVERY: Duration = Duration::from_secs(10);
/// What was usual is told by so many minutes before.
const USUAL: i64 = 15;
/// Seconds by which the oldest message may be older than was usual.
const OLDER: f64 = 300.0;

const AGE: &str = "age";
const THROTTLES: &str = "throttles";

/// Says when to stop, and why. None: nothing is watched.
pub type Alarm<'a> = Option<&'a mut oneshot::Receiver<String>>;

/// What is watched.
#[derive(Debug, Clone)]
pub struct Gauges {
    pub cloudwatch: Client,
    /// Real names. None: a function is invoked, and there is no queue.
    pub queue: Option<String>,
    pub functions: Vec<String>,
    /// Between two looks.
    pub every: Duration,
}

/// The highest values of a stretch of time. None: there are no metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Reading {
    /// Seconds.
    age: Option<f64>,
    /// In a minute.
    throttles: Option<f64>,
}

/// What IAM has to allow. Metrics have no ARNs.
pub fn permissions() -> Statement {
    Statement::allow("WatchTheSource", &[GET], ["*".to_owned()])
}

impl Gauges {
    /// Looks every now and then, until the receiver is dropped. An error says why nothing can be watched.
    pub async fn watch(self) -> Result<oneshot::Receiver<String>> {
        let began = Timestamp::now().as_second();
        let usual = self.read(began - USUAL * 60, began).await?;
        let (alarm, rung) = oneshot::channel();
        tokio::spawn(async move {
            let mut alarm = alarm;
            loop {
                tokio::select! {
                    () = tokio::time::sleep(self.every) => {}
                    () = alarm.closed() => return,
                }
                // Metrics that cannot be read now may be read in a while; the dead letters do not wait for it.
                let now = self.read(began, Timestamp::now().as_second() + 60).await.unwrap_or_default();
                if let Some(why) = self.rises(usual, now) {
                    // Who does not listen any more needs no alarm.
                    drop(alarm.send(why));
                    return;
                }
            }
        });
        Ok(rung)
    }

    fn rises(&self, usual: Reading, now: Reading) -> Option<String> {
        let queue = self.queue.as_deref().unwrap_or_default();
        match now {
            Reading { age: Some(age), .. } if age > usual.age.unwrap_or(0.0) + OLDER => {
                Some(format!("the oldest message of queue {queue} is {age:.0} seconds old by now: nobody keeps up"))
            }
            Reading { throttles: Some(throttles), .. } if throttles > usual.throttles.unwrap_or(0.0) => {
                Some(format!("function {} is throttled, {throttles:.0} times in a minute", self.functions.join(" or ")))
            }
            _ => None,
        }
    }

    /// Both from full minutes: a value belongs to the minute that it begins.
    async fn read(&self, from: i64, to: i64) -> Result<Reading> {
        let mut reading = Reading::default();
        let call = self
            .cloudwatch
            .get_metric_data()
            .start_time(DateTime::from_secs(from - from.rem_euclid(60)))
            .end_time(DateTime::from_secs(to))
            .set_metric_data_queries(Some(self.queries()));
        let answer = call.send().await.or_needs("read metrics", GET, "*")?;
        for result in answer.metric_data_results.unwrap_or_default() {
            let highest = result.values().iter().copied().reduce(f64::max);
            let id = result.id.unwrap_or_default();
            let gauge = if id == AGE { &mut reading.age } else { &mut reading.throttles };
            *gauge = gauge.iter().copied().chain(highest).reduce(f64::max);
        }
        Ok(reading)
    }

    fn queries(&self) -> Vec<MetricDataQuery> {
        let of_queue = self.queue.iter().map(|queue| {
            query(AGE.to_owned(), ("AWS/SQS", "ApproximateAgeOfOldestMessage"), ("QueueName", queue), "Maximum")
        });
        let of_functions = self.functions.iter().enumerate().map(|(number, function)| {
            query(format!("{THROTTLES}{number}"), ("AWS/Lambda", "Throttles"), ("FunctionName", function), "Sum")
        });
        of_queue.chain(of_functions).collect()
    }
}

/// Why to stop, once the alarm says so; never where nothing is watched.
pub async fn rung(alarm: &mut Alarm<'_>) -> String {
    match alarm {
        Some(bell) => match bell.await {
            Ok(why) => why,
            Err(_) => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

fn query(
    id: String,
    (namespace, name): (&str, &str),
    (dimension, value): (&str, &str),
    statistic: &str,
) -> MetricDataQuery {
    let dimension = Dimension::builder().name(dimension).value(value).build();
    let metric = Metric::builder().namespace(namespace).metric_name(name).dimensions(dimension).build();
    let built = MetricStat::builder().metric(metric).period(PERIOD).stat(statistic).build();
    MetricDataQuery::builder().id(id).metric_stat(built).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use claimctl_aws::{CredentialSource, SdkSettings};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn gauges(endpoint: &str) -> Gauges {
        let service = SdkSettings {
            region: Some("us-east-1".to_owned()),
            endpoint: Some(endpoint.to_owned()),
            credentials: CredentialSource::Dummy { access_key: "000000000000".to_owned() },
        };
        let cloudwatch = Client::new(&claimctl_aws::sdk_config(&service).await);
        let every = Duration::from_millis(10);
        Gauges { cloudwatch, queue: Some("q".into()), functions: vec!["f".into()], every }
    }

    /// So many throttles, as CloudWatch says it (CBOR).
    fn answer(throttles: f64) -> Vec<u8> {
        let mut body = b"\xa1\x71MetricDataResults\x81\xa2\x62Id\x6athrottles0\x66Values\x81\xfb".to_vec();
        body.extend(throttles.to_be_bytes());
        let head = format!(
            "HTTP/1.1 200 OK\r\nsmithy-protocol: rpc-v2-cbor\r\ncontent-type: application/cbor\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        [head.into_bytes(), body].concat()
    }

    #[tokio::test]
    async fn throttles_that_rise_ring_the_alarm() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            for throttles in [1.0, 1.0, 12.0] {
                let (mut call, _) = listener.accept().await.unwrap();
                let _ = call.read(&mut [0; 1 << 16]).await.unwrap();
                call.write_all(&answer(throttles)).await.unwrap();
            }
        });
        let rung = gauges(&endpoint).await.watch().await.unwrap();
        assert_eq!(rung.await.unwrap(), "function f is throttled, 12 times in a minute");
    }

    #[tokio::test]
    async fn without_metrics_nothing_is_watched_and_that_is_told() {
        assert!(gauges("http://127.0.0.1:1").await.watch().await.is_err());
    }

    #[tokio::test]
    async fn only_what_is_worse_than_usual_is_a_reason_to_stop() {
        let gauges = gauges("http://127.0.0.1:1").await;
        let reading = |(age, throttles): (f64, f64)| Reading { age: Some(age), throttles: Some(throttles) };
        let rises = |usual, now| gauges.rises(reading(usual), reading(now)).is_some();
        assert!(!rises((0.0, 0.0), (0.0, 0.0)));
        assert!(!rises((1000.0, 7.0), (1200.0, 7.0)));
        assert!(rises((0.0, 0.0), (301.0, 0.0)));
        assert!(rises((1000.0, 7.0), (1000.0, 8.0)));
        assert!(gauges.rises(Reading::default(), Reading::default()).is_none());
    }
}
