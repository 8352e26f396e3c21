//! Processor time and memory, as Linux tells them.

use std::time::Duration;

/// When something began, in processor time.
pub struct Usage {
    file: &'static str,
    began: Duration,
}

impl Usage {
    /// Of this thread.
    pub fn now() -> Self {
        Self::of("/proc/thread-self/schedstat")
    }

    /// Of all threads that the process has when this is asked.
    pub fn of_process() -> Self {
        Self::of("/proc/self/stat")
    }

    fn of(file: &'static str) -> Self {
        Self { file, began: read(file) }
    }

    /// What was spent since.
    pub fn spent(&self) -> Duration {
        read(self.file).saturating_sub(self.began)
    }
}

fn read(file: &str) -> Duration {
    let text = std::fs::read_to_string(file).expect("Linux tells it");
    if file.ends_with("schedstat") {
        let nanos = text.split(' ').next().and_then(|word| word.parse().ok()).expect("it begins with a number");
        return Duration::from_nanos(nanos);
    }
    // Fields 14 and 15, in hundredths of a second; the name before them may have spaces.
    let fields = text.rsplit_once(')').expect("the name stands in brackets").1;
    let ticks =
        fields.split_whitespace().skip(11).take(2).map(|word| word.parse::<u64>().expect("a number")).sum::<u64>();
    Duration::from_millis(ticks * 10)
}

/// The memory that the process has resident, in bytes.
pub fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux tells it");
    let pages: u64 = text.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("the second is a number");
    pages * 4096
}

/// The median of so many measurements.
pub fn median(turns: usize, mut measure: impl FnMut() -> Duration) -> Duration {
    let mut times: Vec<Duration> = (0..turns).map(|_| measure()).collect();
    times.sort();
    times[turns / 2]
}
