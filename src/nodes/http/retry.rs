//! When a request is made again, and after which pause.

use std::time::{Duration, SystemTime};

use pocket_index::permissions::parse_duration;
use serde_json::{Value, json};

use super::Answer;

/// The field's schema.
pub(super) fn schema() -> Value {
    json!({
        "type": "object",
        "description": "Ask again: after an answer with one of `statuses`, and after none when asking again does no harm. \
            `Retry-After` says how long to wait; above `max_delay` the answer is taken as it is.",
        "properties": {
            "max_attempts": { "type": "integer", "minimum": 1, "maximum": 20, "default": 3, "description": "Requests in all." },
            "delay": { "type": "string", "default": "1s", "description": "The first pause." },
            "multiplier": { "type": "number", "minimum": 1, "maximum": 100, "default": 2, "description": "What each further pause is multiplied by." },
            "max_delay": { "type": "string", "default": "30s", "description": "The longest pause." },
            "statuses": {
                "type": "array", "default": [429, 503], "description": "The statuses after which to ask again.",
                "items": { "type": "integer", "minimum": 400, "maximum": 599 }
            }
        },
        "additionalProperties": false
    })
}

/// How often a request is made, and how far apart.
pub(super) struct Retry {
    pub(super) max_attempts: u64,
    delay: Duration,
    multiplier: f64,
    max_delay: Duration,
    statuses: Vec<u64>,
}

impl Retry {
    /// What the field says; once where it is absent. The error names the part that is no duration.
    pub(super) fn read(field: Option<&Value>) -> Result<Self, (&'static str, String)> {
        let Some(field) = field else { return Ok(Self { max_attempts: 1, ..Self::standard() }) };
        let duration = |key: &'static str, standard: Duration| match field.get(key).and_then(Value::as_str) {
            Some(text) => parse_duration(text).map_err(|error| (key, error.to_string())),
            None => Ok(standard),
        };
        let standard = Self::standard();
        let statuses = field.get("statuses").and_then(Value::as_array);
        Ok(Self {
            max_attempts: field.get("max_attempts").and_then(Value::as_u64).unwrap_or(standard.max_attempts),
            delay: duration("delay", standard.delay)?,
            multiplier: field.get("multiplier").and_then(Value::as_f64).unwrap_or(standard.multiplier),
            max_delay: duration("max_delay", standard.max_delay)?,
            statuses: statuses.map_or(standard.statuses, |list| list.iter().filter_map(Value::as_u64).collect()),
        })
    }

    /// Three attempts, a second and then two apart: what most clients do. 429 and 503 are the statuses that promise
    /// nothing was done.
    fn standard() -> Self {
        let (delay, max_delay) = (Duration::from_secs(1), Duration::from_secs(30));
        Self { max_attempts: 3, delay, multiplier: 2.0, max_delay, statuses: vec![429, 503] }
    }

    /// How long to wait after an answer before asking again; none when it is taken as it is.
    pub(super) fn after_answer(&self, attempt: u64, answer: &Answer, now: SystemTime) -> Option<Duration> {
        if attempt >= self.max_attempts || !self.statuses.contains(&u64::from(answer.status)) {
            return None;
        }
        let wanted = answer.header("retry-after").and_then(|text| retry_after(text, now));
        match wanted {
            Some(wanted) => Some(wanted).filter(|wanted| *wanted <= self.max_delay),
            None => Some(self.pause(attempt)),
        }
    }

    /// How long to wait after no answer came.
    pub(super) fn after_nothing(&self, attempt: u64) -> Option<Duration> {
        (attempt < self.max_attempts).then(|| self.pause(attempt))
    }

    fn pause(&self, attempt: u64) -> Duration {
        let factor = self.multiplier.powi(i32::try_from(attempt - 1).unwrap_or(i32::MAX));
        let seconds = self.delay.as_secs_f64() * factor;
        Duration::try_from_secs_f64(seconds).unwrap_or(self.max_delay).min(self.max_delay)
    }
}

/// What `Retry-After` says: seconds, or a date. One that has passed is no wait at all.
fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, retry_after: Option<&str>) -> Answer {
        let headers = retry_after.map(|text| ("retry-after".to_owned(), text.as_bytes().to_vec()));
        Answer { status, headers: headers.into_iter().collect(), body: Vec::new() }
    }

    #[test]
    fn a_server_says_how_long_to_wait_and_else_each_pause_is_longer() {
        let retry = Retry::read(Some(&json!({"max_attempts": 5, "max_delay": "3s"}))).unwrap_or_else(|_| panic!());
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let pause = |attempt, status, header| retry.after_answer(attempt, &answer(status, header), now);
        let seconds = |number| Some(Duration::from_secs(number));
        assert_eq!(
            [1, 2, 3, 4, 5].map(|attempt| pause(attempt, 503, None)),
            [seconds(1), seconds(2), seconds(3), seconds(3), None]
        );
        assert_eq!(pause(1, 429, Some("2")), seconds(2));
        assert_eq!(pause(1, 429, Some("Sun, 06 Nov 1994 08:49:39 GMT")), seconds(2));
        assert_eq!(pause(1, 429, Some("Sun, 06 Nov 1994 08:00:00 GMT")), seconds(0));
        assert_eq!(pause(1, 429, Some("nonsense")), seconds(1));
        // Waiting for an hour is not what the user asked for: the answer is taken as it is.
        assert_eq!(pause(1, 429, Some("3600")), None);
        assert_eq!(pause(1, 404, Some("1")), None);
    }

    #[test]
    fn without_the_field_a_request_is_made_once() {
        let retry = Retry::read(None).unwrap_or_else(|_| panic!());
        assert_eq!(retry.after_answer(1, &answer(503, Some("0")), SystemTime::now()), None);
        assert_eq!(retry.after_nothing(1), None);
    }
}
