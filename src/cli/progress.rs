//! Progress of an install: a bar for each download on a terminal, plain lines otherwise.

use std::collections::HashMap;
use std::sync::Mutex;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use pocket_index::name::PluginName;
use semver::Version;

use crate::ops::install::{Observer, Step};

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
