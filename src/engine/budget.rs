//! What a call may use: time, memory and output. The smaller of manifest, configuration and node wins.

use std::fmt;
use std::time::Duration;

use pocket_index::permissions::Permissions;

/// What one call may use at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long it may take.
    pub timeout: Duration,
    /// How many bytes of memory it may use.
    pub memory: u64,
    /// How many bytes its output may have as JSON.
    pub output: u64,
}

impl Default for Limits {
    /// 30 s: longer than the slow web requests people wait for. 256 MiB: what the largest language runtimes seen need
    /// with room to work. 16 MiB of output: a value is held several times while it moves between nodes.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), memory: 256 << 20, output: 16 << 20 }
    }
}

/// Why a limit cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// A duration of another shape.
    #[error("`{value}` is no duration: expected something like `3s`, `500ms` or `1m30s`")]
    Duration {
        /// What was given.
        value: String,
    },
    /// An amount of memory of another shape.
    #[error("`{value}` is no amount of memory: expected something like `64MB` or `512KB`")]
    Memory {
        /// What was given.
        value: String,
    },
}

impl Limits {
    /// Of each limit the smaller one.
    pub fn smaller(self, other: Self) -> Self {
        Self {
            timeout: self.timeout.min(other.timeout),
            memory: self.memory.min(other.memory),
            output: self.output.min(other.output),
        }
    }

    /// Narrowed by what the manifest says of itself.
    pub fn narrowed_by(self, asked: &Permissions) -> Result<Self, BudgetError> {
        let mut limits = self;
        if let Some(timeout) = &asked.timeout {
            limits.timeout = limits.timeout.min(parse_duration(timeout)?);
        }
        if let Some(memory) = &asked.memory {
            limits.memory = limits.memory.min(parse_memory(memory)?);
        }
        Ok(limits)
    }
}

/// A Go duration above zero: numbers with a unit of `ns us µs ms s m h`, such as `1m30s` or `1.5s`.
pub fn parse_duration(text: &str) -> Result<Duration, BudgetError> {
    let error = || BudgetError::Duration { value: text.to_owned() };
    let mut seconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(error)?;
        let number: f64 = rest[..digits].parse().map_err(|_| error())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        seconds += number * unit_seconds(&rest[..letters]).ok_or_else(error)?;
        rest = &rest[letters..];
    }
    let duration = Duration::try_from_secs_f64(seconds).map_err(|_| error())?;
    if duration.is_zero() { Err(error()) } else { Ok(duration) }
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    })
}

/// Bytes above zero: a whole number with a unit of `B KB MB GB KiB MiB GiB` or none. All units are powers of 1,024.
pub fn parse_memory(text: &str) -> Result<u64, BudgetError> {
    let error = || BudgetError::Memory { value: text.to_owned() };
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
    let number: u64 = trimmed[..digits].parse().map_err(|_| error())?;
    let shift = match trimmed[digits..].trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return Err(error()),
    };
    number.checked_mul(1 << shift).filter(|bytes| *bytes > 0).ok_or_else(error)
}

/// A duration as people write it, rounded to milliseconds: `3s`, `1.5s`, `250ms`.
pub struct Seconds(pub Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is left of a limit a moment after the call started is still that limit.
        let millis = (self.0.as_micros() + 500) / 1000;
        if millis < 1000 { write!(f, "{millis}ms") } else { write!(f, "{}s", millis as f64 / 1000.0) }
    }
}

/// An amount of memory as people write it: `64MB`, `512KB`, `100 bytes`.
pub struct Megabytes(pub u64);

impl fmt::Display for Megabytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes >= 1 << 20 && bytes % (1 << 20) == 0 => write!(f, "{}MB", bytes >> 20),
            bytes if bytes >= 1 << 10 && bytes % (1 << 10) == 0 => write!(f, "{}KB", bytes >> 10),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_in_go() {
        for (text, millis) in [("3s", 3000), ("1m30s", 90_000), ("1.5s", 1500), ("250ms", 250), ("2h", 7_200_000)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "3", "s", "-3s", "3 s", "0s", "1..5s", "3sec", "99999999999999999999h"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn memory_has_a_unit_or_is_in_bytes() {
        for (text, bytes) in [("64MB", 64 << 20), ("512 KiB", 512 << 10), ("1gb", 1 << 30), ("100", 100)] {
            assert_eq!(parse_memory(text), Ok(bytes), "{text}");
        }
        for bad in ["", "MB", "0", "-1MB", "1.5MB", "64MBs", "99999999999GB"] {
            assert!(parse_memory(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_manifest_narrows_limits_and_never_widens_them() {
        let asked = Permissions { timeout: Some("3s".into()), memory: Some("1GB".into()), ..Permissions::default() };
        let limits = Limits::default().narrowed_by(&asked).expect("both are well-formed");
        assert_eq!(limits.timeout, Duration::from_secs(3));
        assert_eq!(limits.memory, Limits::default().memory);
    }
}
