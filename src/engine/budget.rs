//! What a call may use: time, memory and output. The smaller of manifest, configuration and node wins.

use std::fmt;
use std::time::Duration;

use pocket_index::permissions::{PermissionError, Permissions, parse_duration, parse_memory};

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

impl Limits {
    /// Of each limit the smaller one.
    pub fn smaller(self, other: Self) -> Self {
        Self {
            timeout: self.timeout.min(other.timeout),
            memory: self.memory.min(other.memory),
            output: self.output.min(other.output),
        }
    }

    /// Narrowed by what the manifest says of itself. A `timeout` of `0` is none.
    pub fn narrowed_by(self, asked: &Permissions) -> Result<Self, PermissionError> {
        let mut limits = self;
        let timeout = asked.timeout.as_deref().map(parse_duration).transpose()?;
        if let Some(timeout) = timeout.filter(|timeout| !timeout.is_zero()) {
            limits.timeout = limits.timeout.min(timeout);
        }
        if let Some(memory) = &asked.memory {
            limits.memory = limits.memory.min(parse_memory(memory)?);
        }
        Ok(limits)
    }
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

/// An amount of memory as people write it: `64MB`, `256MiB`, `100 bytes`.
pub struct Megabytes(pub u64);

impl fmt::Display for Megabytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 4] = [(1_000_000, "MB"), (1 << 20, "MiB"), (1_000, "KB"), (1 << 10, "KiB")];
        match UNITS.into_iter().find(|(unit, _)| self.0 >= *unit && self.0.is_multiple_of(*unit)) {
            Some((unit, name)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_written_as_people_write_them() {
        let written = |memory| Megabytes(memory).to_string();
        assert_eq!([written(64_000_000), written(256 << 20), written(100)], ["64MB", "256MiB", "100 bytes"]);
        let written = |micros| Seconds(Duration::from_micros(micros)).to_string();
        assert_eq!([written(2_999_990), written(1_500_000), written(250_000)], ["3s", "1.5s", "250ms"]);
    }

    #[test]
    fn a_manifest_narrows_limits_and_never_widens_them() {
        let asked = Permissions { timeout: Some("3s".into()), memory: Some("1GB".into()), ..Permissions::default() };
        let limits = Limits::default().narrowed_by(&asked).expect("both are well-formed");
        assert_eq!(limits.timeout, Duration::from_secs(3));
        assert_eq!(limits.memory, Limits::default().memory);
    }
}
