//! A line at the bottom of a terminal: how far a run is, which nodes run now and for how long.

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::workflow::{Observer, RunEvent};

/// A run that is over by then shows nothing: 300 ms.
const PATIENCE: Duration = Duration::from_millis(300);
/// How often the line is drawn: every 100 ms.
const TICK: Duration = Duration::from_millis(100);
/// How many nodes the line names.
const MAX_NAMES: usize = 3;

/// Draws the line.
pub struct Progress {
    standing: Arc<Mutex<Standing>>,
    drawer: Mutex<Option<(Sender<()>, JoinHandle<()>)>>,
}

/// How far a run is.
#[derive(Debug, Default)]
struct Standing {
    workflow: String,
    steps: u64,
    retries: u64,
    failures: u64,
    /// The nodes that run now, since when.
    running: BTreeMap<String, Instant>,
}

impl Progress {
    /// Begins to draw, after a moment.
    pub fn new() -> Self {
        let standing = Arc::new(Mutex::new(Standing::default()));
        let (over, is_over) = channel();
        let shown = Arc::clone(&standing);
        let drawer = std::thread::spawn(move || {
            let waits = |pause| is_over.recv_timeout(pause) == Err(RecvTimeoutError::Timeout);
            if !waits(PATIENCE) {
                return;
            }
            let style = ProgressStyle::with_template("{spinner} {msg}").expect("the template is a constant");
            let bar = ProgressBar::new_spinner().with_style(style);
            loop {
                bar.set_message(lock(&shown).line(Instant::now()));
                bar.tick();
                if !waits(TICK) {
                    break;
                }
            }
            bar.finish_and_clear();
        });
        Self { standing, drawer: Mutex::new(Some((over, drawer))) }
    }

    fn end(&self) {
        let drawer = self.drawer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((over, drawer)) = drawer {
            drop(over);
            // A line that could not be drawn is no loss.
            let _ = drawer.join();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

impl Observer for Progress {
    fn see(&self, event: &RunEvent<'_>) {
        let mut standing = lock(&self.standing);
        match event {
            RunEvent::Began { workflow, .. } => (*workflow).clone_into(&mut standing.workflow),
            RunEvent::Started { node, .. } => drop(standing.running.insert((*node).to_owned(), Instant::now())),
            RunEvent::Finished { node, .. } => {
                standing.running.remove(*node);
                standing.steps += 1;
            }
            RunEvent::Failed { node, .. } => {
                standing.running.remove(*node);
                standing.failures += 1;
            }
            RunEvent::Retrying { .. } => standing.retries += 1,
            RunEvent::Recovered { .. } => {}
            RunEvent::Ended { .. } => {
                drop(standing);
                self.end();
            }
        }
    }
}

impl Standing {
    fn line(&self, now: Instant) -> String {
        let mut line = format!("{}: {} done", self.workflow, steps(self.steps, "step"));
        let running = self.running.iter().take(MAX_NAMES);
        let names: Vec<String> = running
            .map(|(node, since)| format!("`{node}` {:.1}s", now.saturating_duration_since(*since).as_secs_f64()))
            .collect();
        if !names.is_empty() {
            line = format!("{line}, running {}", names.join(", "));
        }
        if self.running.len() > MAX_NAMES {
            line = format!("{line} and {} more", self.running.len() - MAX_NAMES);
        }
        for (number, thing) in [(self.failures, "failure"), (self.retries, "retry")] {
            if number > 0 {
                line = format!("{line}, {}", steps(number, thing));
            }
        }
        line
    }
}

/// `1 step`, `2 steps`, `2 retries`.
fn steps(number: u64, thing: &str) -> String {
    match (number, thing.strip_suffix('y')) {
        (1, _) => format!("1 {thing}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {thing}s"),
    }
}

fn lock(standing: &Mutex<Standing>) -> MutexGuard<'_, Standing> {
    standing.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_runs_and_how_often_it_was_tried() {
        let began = Instant::now();
        let node = |name: &str| (name.to_owned(), began);
        let standing = Standing {
            workflow: "nightly".to_owned(),
            steps: 1,
            retries: 2,
            failures: 2,
            running: BTreeMap::from(["a", "b", "c", "d"].map(node)),
        };
        let line = standing.line(began + Duration::from_millis(1_500));
        assert_eq!(
            line,
            "nightly: 1 step done, running `a` 1.5s, `b` 1.5s, `c` 1.5s and 1 more, 2 failures, 2 retries"
        );
    }
}
