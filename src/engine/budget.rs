//! What a call may use: time, memory, output and what the host does for it. The smaller of manifest, configuration and node wins.
//!
//! Every limit has a key in `pocket.yaml`: `plugins.limits.memory` for all plugins, `plugins.limits.<plugin>.memory` for one.

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
    /// How many lines the plugin may log in a second. More are left out, and the log says so.
    pub log_lines: u32,
    /// How many bytes the plugin may log in a second.
    pub log_bytes: u64,
    /// How deep calls of functions may nest in Lua.
    pub call_depth: u32,
    /// How many bytes of stack WebAssembly may use.
    pub stack: u64,
    /// How many threads a native plugin may have.
    pub threads: u32,
    /// How many files and connections a native plugin may have open.
    pub open_files: u32,
    /// How long one thing that the host does for the plugin may take, such as an HTTP request.
    pub host_call: Duration,
    /// How many bytes one thing that the host does may carry: the body of an HTTP response, a file.
    pub transfer: u64,
}

impl Default for Limits {
    /// - 30 s: longer than the slow web requests people wait for; 20 s for one of them, so that the plugin can still report it.
    /// - 256 MiB: what the largest language runtimes seen need with room to work.
    /// - 16 MiB of output: a value is held several times while it moves between nodes; 10 MiB carried at once, for the same reason.
    /// - 1,000 lines and 1 MiB of log a second: more than anybody reads, less than what fills a disk in an hour.
    /// - 256 threads and 256 open files: more than a pool of connections needs, less than what a machine notices.
    /// - 20,000 nested calls: what Luau's own stack holds. 512 KiB of stack: a quarter of what the smallest thread has.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            memory: 256 << 20,
            output: 16 << 20,
            log_lines: 1_000,
            log_bytes: 1 << 20,
            call_depth: 20_000,
            stack: 512 << 10,
            threads: 256,
            open_files: 256,
            host_call: Duration::from_secs(20),
            transfer: 10 << 20,
        }
    }
}

/// One of the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// [`Limits::timeout`].
    Timeout,
    /// [`Limits::memory`].
    Memory,
    /// [`Limits::output`].
    Output,
    /// [`Limits::log_lines`].
    LogLines,
    /// [`Limits::log_bytes`].
    LogBytes,
    /// [`Limits::call_depth`].
    CallDepth,
    /// [`Limits::stack`].
    Stack,
    /// [`Limits::threads`].
    Threads,
    /// [`Limits::open_files`].
    OpenFiles,
    /// [`Limits::host_call`].
    HostCall,
    /// [`Limits::transfer`].
    Transfer,
}

impl Limit {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 11] = [
        Self::Timeout,
        Self::Memory,
        Self::Output,
        Self::LogLines,
        Self::LogBytes,
        Self::CallDepth,
        Self::Stack,
        Self::Threads,
        Self::OpenFiles,
        Self::HostCall,
        Self::Transfer,
    ];

    /// Its key below `plugins.limits`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::Output => "output",
            Self::LogLines => "log_lines",
            Self::LogBytes => "log_bytes",
            Self::CallDepth => "call_depth",
            Self::Stack => "stack",
            Self::Threads => "threads",
            Self::OpenFiles => "open_files",
            Self::HostCall => "host_call",
            Self::Transfer => "transfer",
        }
    }

    /// How a user gives the plugin more.
    pub fn advice(self, plugin: &str) -> String {
        format!("`plugins.limits.{plugin}.{}` in pocket.yaml raises it", self.key())
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// A limit's value in `pocket.yaml` that is not written as it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// It is no amount of its kind.
    #[error(transparent)]
    Unreadable(#[from] PermissionError),
    /// It is no number above zero and within `most`.
    #[error("`{}` is no value for `{limit}`: expected {expected}", value.escape_debug())]
    OutOfRange {
        /// Which limit.
        limit: Limit,
        /// What was written.
        value: String,
        /// What it must be.
        expected: String,
    },
}

impl Limits {
    /// Luau's own stack ends there.
    pub const MOST_CALL_DEPTH: u32 = 20_000;

    /// A machine has 32,768 process numbers, unless it was told otherwise, and every thread takes one.
    pub const MOST_THREADS: u32 = 4_096;

    /// What users may have open without being root.
    pub const MOST_OPEN_FILES: u32 = 4_096;

    /// 64 MiB of stack: each of a plugin's calls that runs has its own.
    pub const MOST_STACK: u64 = 64 << 20;

    /// The same with another value for `limit`, as it is written in `pocket.yaml`: `64MB`, `1m30s`, `1000`.
    ///
    /// # Errors
    /// The text is no value for this limit.
    pub fn with(mut self, limit: Limit, text: &str) -> Result<Self, LimitError> {
        match limit {
            Limit::Timeout => self.timeout = duration(limit, text)?,
            Limit::HostCall => self.host_call = duration(limit, text)?,
            Limit::Memory => self.memory = parse_memory(text)?,
            Limit::Output => self.output = parse_memory(text)?,
            Limit::LogBytes => self.log_bytes = parse_memory(text)?,
            Limit::Stack => self.stack = stack(text)?,
            Limit::Transfer => self.transfer = parse_memory(text)?,
            Limit::LogLines => self.log_lines = count(limit, text, u32::MAX)?,
            Limit::Threads => self.threads = count(limit, text, Self::MOST_THREADS)?,
            Limit::OpenFiles => self.open_files = count(limit, text, Self::MOST_OPEN_FILES)?,
            Limit::CallDepth => self.call_depth = count(limit, text, Self::MOST_CALL_DEPTH)?,
        }
        Ok(self)
    }

    /// The value of `limit` as people write it.
    pub fn shown(&self, limit: Limit) -> String {
        match limit {
            Limit::Timeout => Seconds(self.timeout).to_string(),
            Limit::HostCall => Seconds(self.host_call).to_string(),
            Limit::Memory => Megabytes(self.memory).to_string(),
            Limit::Output => Megabytes(self.output).to_string(),
            Limit::LogBytes => Megabytes(self.log_bytes).to_string(),
            Limit::Stack => Megabytes(self.stack).to_string(),
            Limit::Transfer => Megabytes(self.transfer).to_string(),
            Limit::Threads => self.threads.to_string(),
            Limit::OpenFiles => self.open_files.to_string(),
            Limit::LogLines => self.log_lines.to_string(),
            Limit::CallDepth => self.call_depth.to_string(),
        }
    }

    /// Of each limit the smaller one.
    pub fn smaller(self, other: Self) -> Self {
        Self {
            timeout: self.timeout.min(other.timeout),
            memory: self.memory.min(other.memory),
            output: self.output.min(other.output),
            log_lines: self.log_lines.min(other.log_lines),
            log_bytes: self.log_bytes.min(other.log_bytes),
            call_depth: self.call_depth.min(other.call_depth),
            stack: self.stack.min(other.stack),
            threads: self.threads.min(other.threads),
            open_files: self.open_files.min(other.open_files),
            host_call: self.host_call.min(other.host_call),
            transfer: self.transfer.min(other.transfer),
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

    /// Whether the value of `limit` is the one that the manifest asks for: nothing else can raise it then.
    pub fn is_set_by(&self, asked: &Permissions, limit: Limit) -> bool {
        match limit {
            Limit::Timeout => asked.timeout.as_deref().is_some_and(|text| parse_duration(text) == Ok(self.timeout)),
            Limit::Memory => asked.memory.as_deref().is_some_and(|text| parse_memory(text) == Ok(self.memory)),
            _ => false,
        }
    }
}

fn duration(limit: Limit, text: &str) -> Result<Duration, LimitError> {
    let duration = parse_duration(text)?;
    if duration.is_zero() {
        let expected = "a time above zero, such as `30s` or `1m30s`".to_owned();
        return Err(LimitError::OutOfRange { limit, value: text.to_owned(), expected });
    }
    Ok(duration)
}

fn stack(text: &str) -> Result<u64, LimitError> {
    let stack = parse_memory(text)?;
    if stack > Limits::MOST_STACK {
        let expected = format!("at most `{}`", Megabytes(Limits::MOST_STACK));
        return Err(LimitError::OutOfRange { limit: Limit::Stack, value: text.to_owned(), expected });
    }
    Ok(stack)
}

fn count(limit: Limit, text: &str, most: u32) -> Result<u32, LimitError> {
    let out_of_range = || LimitError::OutOfRange {
        limit,
        value: text.to_owned(),
        expected: format!("a whole number from 1 to {most}"),
    };
    text.parse().ok().filter(|count| (1..=most).contains(count)).ok_or_else(out_of_range)
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
        assert!(limits.is_set_by(&asked, Limit::Timeout) && !limits.is_set_by(&asked, Limit::Memory));
    }

    #[test]
    fn every_limit_is_read_as_it_is_shown() {
        for limit in Limit::ALL {
            let shown = Limits::default().shown(limit);
            assert_eq!(Limits::default().with(limit, &shown), Ok(Limits::default()), "{limit}");
        }
        let limits = Limits::default().with(Limit::Memory, "64MB").expect("it is an amount");
        assert_eq!((limits.memory, limits.transfer), (64_000_000, Limits::default().transfer));
    }

    #[test]
    fn a_value_that_fits_no_limit_is_refused() {
        let error = |limit, text| Limits::default().with(limit, text).expect_err("it does not fit").to_string();
        insta::assert_snapshot!(error(Limit::CallDepth, "20001"), @"`20001` is no value for `call_depth`: expected a whole number from 1 to 20000");
        insta::assert_snapshot!(error(Limit::LogLines, "0"), @"`0` is no value for `log_lines`: expected a whole number from 1 to 4294967295");
        insta::assert_snapshot!(error(Limit::HostCall, "0s"), @"`0s` is no value for `host_call`: expected a time above zero, such as `30s` or `1m30s`");
        insta::assert_snapshot!(error(Limit::Stack, "65MiB"), @"`65MiB` is no value for `stack`: expected at most `64MiB`");
        insta::assert_snapshot!(error(Limit::Transfer, "10"), @"`10` is no amount of memory: expected a whole number above zero and `KB`, `MB`, `GB`, `KiB`, `MiB` or `GiB`, such as `64MB`");
    }
}
