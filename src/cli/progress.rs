//! Progress of installs and uploads: a bar for each download on a terminal, plain lines otherwise.

use std::collections::HashMap;
use std::sync::Mutex;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use pocket_index::name::PluginName;
use semver::Version;

use crate::ops::install::{Change, Observer, Step};
use crate::ops::publish;

use super::error::count;
use super::output::Output;

/// Shows the steps of an install as they happen.
pub struct Progress<'a> {
    output: &'a Output,
    bars: Option<Bars>,
}

struct Bars {
    all: MultiProgress,
    downloads: Mutex<HashMap<String, ProgressBar>>,
}

impl<'a> Progress<'a> {
    /// Bars where they can be drawn.
    pub fn new(output: &'a Output) -> Self {
        let bars = output.shows_bars().then(|| Bars { all: MultiProgress::new(), downloads: Mutex::default() });
        Self { output, bars }
    }

    fn line(&self, verb: &str, what: &str) {
        match &self.bars {
            Some(bars) => bars.all.suspend(|| self.output.step(verb, what)),
            None => self.output.step(verb, what),
        }
    }
}

/// A change as it is shown: a verb and what it did, then a line for each permission that comes or goes.
pub fn change_lines(change: &Change) -> Vec<(&'static str, String)> {
    let name = &change.name;
    let source = change.former_source.as_ref().map(|former| format!(", from {} instead of {former}", change.source));
    let source = source.unwrap_or_default();
    let first = match (&change.before, &change.after) {
        (Some(before), Some(after)) if before == after => ("Changing", format!("`{name}` {after}{source}")),
        (Some(before), Some(after)) if before > after => {
            ("Downgrading", format!("`{name}` {before} -> {after}{source}"))
        }
        (Some(before), Some(after)) => ("Updating", format!("`{name}` {before} -> {after}{source}")),
        (None, Some(after)) => ("Adding", format!("`{name}` {after}")),
        (Some(before), None) => ("Removing", format!("`{name}` {before}")),
        (None, None) => return Vec::new(),
    };
    let gains = change.gains.iter().map(|gain| ("", format!("  + {gain}")));
    // What leaves takes its permissions with it; that needs no line each.
    let loses = change.loses.iter().filter(|_| change.after.is_some()).map(|lost| ("", format!("  - {lost}")));
    std::iter::once(first).chain(gains).chain(loses).collect()
}

impl Bars {
    fn advance(&self, name: &PluginName, version: &Version, received: u64, expected: Option<u64>) {
        let mut downloads = self.downloads.lock().expect("no holder of this lock panics");
        let bar = downloads.entry(format!("{name} {version}")).or_insert_with_key(|label| {
            let style = ProgressStyle::with_template("{msg:>30} [{bar:30}] {bytes}/{total_bytes}")
                .expect("the template is a constant")
                .progress_chars("=> ");
            self.all.add(ProgressBar::new(0).with_style(style).with_message(label.clone()))
        });
        bar.set_length(expected.unwrap_or(received));
        bar.set_position(received);
        if expected == Some(received) {
            bar.finish_and_clear();
        }
    }
}

/// Shows how far an upload is, where that can be drawn.
pub struct Upload {
    bar: Option<ProgressBar>,
}

impl Upload {
    /// A bar where it can be drawn; it is seen with the first byte.
    pub fn new(output: &Output) -> Self {
        let style = || {
            ProgressStyle::with_template("{msg:>30} [{bar:30}] {bytes}/{total_bytes}")
                .expect("the template is a constant")
                .progress_chars("=> ")
        };
        Self { bar: output.shows_bars().then(|| ProgressBar::hidden().with_style(style())) }
    }

    /// Shows a step of a publish.
    pub fn show(&self, step: publish::Step) {
        let Some(bar) = &self.bar else { return };
        if bar.is_hidden() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        match step {
            publish::Step::Sending { sent, total } => {
                bar.set_length(total);
                bar.set_position(sent);
                // What takes its time now are the registry's checks.
                bar.set_message(if sent < total { "Uploading" } else { "Checking" });
            }
            publish::Step::Waiting => bar.set_message("Waiting until it can be installed"),
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Observer for Progress<'_> {
    fn step(&self, step: Step<'_>) {
        match step {
            Step::MetRegistry { registry, fingerprint } => {
                self.line("Trusting", &format!("{registry} on first use, key {fingerprint}"));
            }
            Step::Resolved { plugins } => self.line("Resolved", &count(plugins, "plugin")),
            Step::Downloading { name, version, received, expected } => {
                if let Some(bars) = &self.bars {
                    bars.advance(name, version, received, expected);
                }
            }
            Step::Planned { changes } => {
                let moved = changes.iter().filter(|change| change.before.is_some());
                moved.flat_map(change_lines).for_each(|(verb, line)| self.line(verb, &line));
            }
            Step::Verified { name, version } => self.line("Verified", &format!("`{name}` {version}")),
            Step::Installed { name, version } => self.line("Installed", &format!("`{name}` {version}")),
            Step::Locked { path } => self.line("Locked", &path.display().to_string()),
            Step::Warning { text } => match &self.bars {
                Some(bars) => bars.all.suspend(|| self.output.warning(text)),
                None => self.output.warning(text),
            },
        }
    }
}
