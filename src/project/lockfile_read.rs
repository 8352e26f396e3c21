//! Reads `pocket.lock`. Whatever is wrong is named with its line.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use pocket_index::permissions::Permissions;
use semver::Version;
use toml_edit::{Document, Item, Table};

use super::lockfile::{
    Basis, LockedArchive, LockedDependency, LockedEvent, LockedLog, LockedPlugin, LockedRegistry, Lockfile,
    RegistryTrust, Source, Unknown,
};

/// The version of the format. A file with a higher one cannot be read.
pub(super) const VERSION: u64 = 1;
/// The revision of the format. A file with a higher one can be read, and keeps what this version does not know.
pub(super) const REVISION: u64 = 1;

/// Why a lock cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// A newer Pocket wrote it.
    #[error("`pocket.lock` has format version {found}, this Pocket reads up to {VERSION}; update Pocket")]
    Newer {
        /// The version in the file.
        found: u64,
    },
    /// A merge left both sides in it.
    #[error("`pocket.lock` line {line}: a merge conflict; take one side, then run `pocket plugin lock`")]
    Conflict {
        /// The line of the first mark.
        line: usize,
    },
    /// Something in it is not as it must be.
    #[error("`pocket.lock` line {line}, column {column}: {message}")]
    Wrong {
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
}

type Read<T> = Result<T, LockError>;

impl Lockfile {
    /// Reads a lock. Line ends may be `\n` or `\r\n`.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if let Some(line) = text.lines().position(is_conflict_mark) {
            return Err(LockError::Conflict { line: line + 1 });
        }
        let document = Document::parse(text).map_err(|error| wrong(text, error.span(), error.message()))?;
        let mut root = Fields::new(text, document.as_table(), "the file");
        let version: u64 = root.number("version")?;
        if version > VERSION {
            return Err(LockError::Newer { found: version });
        }
        let revision = root.number("revision")?;
        let registries = root.tables("registry")?.map(registry).collect::<Read<Vec<_>>>()?;
        let plugins = root.tables("plugin")?.map(plugin).collect::<Read<Vec<_>>>()?;
        let lock = Self { registries, plugins, revision, unknown: root.rest() };
        check_whole(&lock, text, document.as_table())?;
        Ok(lock)
    }
}

/// Lines that `git` and other tools write around the two sides.
fn is_conflict_mark(line: &str) -> bool {
    ["<<<<<<<", "|||||||", "=======", ">>>>>>>"].iter().any(|mark| line.starts_with(mark))
}

fn wrong(text: &str, span: Option<Range<usize>>, message: impl fmt::Display) -> LockError {
    let before = text.get(..span.map_or(0, |span| span.start)).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    LockError::Wrong {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        message: message.to_string(),
    }
}

/// Names that are there twice, and names that lead nowhere: signs of an edit by hand or of a careless merge.
fn check_whole(lock: &Lockfile, text: &str, root: &Table) -> Read<()> {
    let span = |kind: &str, number: usize| root.get(kind)?.as_array_of_tables()?.get(number)?.span();
    let mut seen = BTreeMap::new();
    for (number, registry) in lock.registries.iter().enumerate() {
        if let Some(first) = seen.insert(&registry.name, number) {
            let (span, first) = (span("registry", number), line_of(text, span("registry", first)));
            return Err(wrong(
                text,
                span,
                format!("registry `{}` is here a second time; first in line {first}", registry.name),
            ));
        }
    }
    let mut seen = BTreeMap::new();
    for (number, plugin) in lock.plugins.iter().enumerate() {
        let LockedPlugin { name, version, source, .. } = plugin;
        if let Some(first) = seen.insert((name, version, source), number) {
            let (span, first) = (span("plugin", number), line_of(text, span("plugin", first)));
            return Err(wrong(text, span, format!("`{name}` {version} is here a second time; first in line {first}")));
        }
        let at_plugin = |message: String| Err(wrong(text, span("plugin", number), message));
        if let Source::Registry(registry) = source
            && lock.registry(registry).is_none()
        {
            return at_plugin(format!(
                "`{name}` {version} comes from `{registry}`, of which there is no `[[registry]]`"
            ));
        }
        for needed in &plugin.dependencies {
            if lock.plugin(&needed.name, &needed.version, &needed.source).is_none() {
                let LockedDependency { name: other, version: of, source } = needed;
                return at_plugin(format!(
                    "`{name}` {version} needs `{other}` {of} of `{source}`, which is not in the lock"
                ));
            }
        }
    }
    Ok(())
}

fn line_of(text: &str, span: Option<Range<usize>>) -> usize {
    text.get(..span.map_or(0, |span| span.start)).unwrap_or(text).matches('\n').count() + 1
}

fn registry(mut fields: Fields<'_>) -> Read<LockedRegistry> {
    let name = fields.parsed("name")?;
    let url = fields.text("url")?.to_owned();
    let trust = if fields.flag("unsigned")? {
        RegistryTrust::Unsigned
    } else {
        let keys = fields.list("keys", str::parse)?;
        let origin = fields.text("log")?.to_owned();
        let key = fields.text("log_key")?.to_owned();
        let log = LockedLog { origin, key, size: fields.number("log_size")?, root: fields.parsed("log_root")? };
        RegistryTrust::Signed { keys, log }
    };
    Ok(LockedRegistry { name, url, trust, unknown: fields.rest() })
}

fn plugin(mut fields: Fields<'_>) -> Read<LockedPlugin> {
    let name = fields.parsed("name")?;
    let version = fields.parsed("version")?;
    let source: Source = fields.parsed("source")?;
    let runtime = fields.parsed("runtime")?;
    let engine = fields.optional_parsed("pocket")?;
    let basis = basis(&mut fields)?;
    let signers = fields.list("signers", str::parse)?;
    let mut permissions = Permissions::default();
    fields.list("permissions", |line| add_permission(&mut permissions, line))?;
    let dependencies = fields.list("dependencies", |line| dependency(line, &source))?;
    let mut archives: Vec<LockedArchive> = Vec::new();
    for mut fields in fields.tables("archive")? {
        let archive = archive(&mut fields)?;
        if matches!(source, Source::Release(_)) && archive.url.is_none() {
            return Err(fields.error("target", format!("`url` is missing in {}", fields.what)));
        }
        if archives.iter().any(|other| other.target == archive.target) {
            return Err(fields.error("target", format!("target `{}` is here a second time", archive.target)));
        }
        archives.push(archive);
    }
    let unknown = fields.rest();
    Ok(LockedPlugin {
        name,
        version,
        source,
        runtime,
        engine,
        basis,
        signers,
        permissions,
        dependencies,
        archives,
        unknown,
    })
}

/// The word, and for `log` the place in it: evidence that is only claimed is none.
fn basis(fields: &mut Fields<'_>) -> Read<Basis> {
    Ok(match fields.text("trust")? {
        "log" => Basis::Log(LockedEvent { digest: fields.parsed("event")?, log: fields.number("log")? }),
        "signature" => Basis::Signature,
        "digest" => Basis::Digest,
        "once" => Basis::Once,
        "local" => Basis::Local,
        "unsigned" => Basis::Unsigned,
        other => {
            let known = "`log`, `signature`, `digest`, `once`, `local`, `unsigned`";
            return Err(fields.error("trust", format!("`trust`: `{}` is not one of {known}", other.escape_debug())));
        }
    })
}

fn archive(fields: &mut Fields<'_>) -> Read<LockedArchive> {
    Ok(LockedArchive {
        target: fields.parsed("target")?,
        file: fields.text("file")?.to_owned(),
        size: fields.number("size")?,
        sha256: fields.parsed("sha256")?,
        tree: fields.parsed("tree")?,
        url: fields.optional_parsed("url")?,
        unknown: fields.rest(),
    })
}

/// `geo 1.2.0` or `geo 1.2.0 corp`.
fn dependency(line: &str, own: &Source) -> Result<LockedDependency, String> {
    let expected =
        || format!("`{}` is no dependency: expected a name, a version and perhaps a source", line.escape_debug());
    let (name, rest) = line.split_once(' ').ok_or_else(expected)?;
    let (version, source) = rest.split_once(' ').map_or((rest, None), |(version, source)| (version, Some(source)));
    let source = source.map(str::parse).transpose().map_err(|error: <Source as FromStr>::Err| error.to_string())?;
    Ok(LockedDependency {
        name: name.parse().map_err(|error: pocket_index::name::NameError| error.to_string())?,
        version: version.parse::<Version>().map_err(|error| format!("`{version}`: {error}"))?,
        source: source.unwrap_or_else(|| own.clone()),
    })
}

fn add_permission(permissions: &mut Permissions, line: &str) -> Result<(), String> {
    let (kind, argument) = line.split_once(' ').unwrap_or((line, ""));
    let argument = argument.to_owned();
    match kind {
        "env" => permissions.env.push(argument),
        "http" => permissions.http.push(argument),
        "network" => permissions.network.push(argument),
        "filesystem" => permissions.filesystem.push(argument),
        "memory" => permissions.memory = Some(argument),
        "timeout" => permissions.timeout = Some(argument),
        _ => {
            let known = "`env`, `http`, `network`, `filesystem`, `memory`, `timeout`";
            return Err(format!("`{}` is no permission; known are {known}", kind.escape_debug()));
        }
    }
    Ok(())
}

/// A table that is read key by key; what was not asked for is what this version does not know.
struct Fields<'d> {
    text: &'d str,
    table: &'d Table,
    /// What the table is, for a person.
    what: &'static str,
    asked: Vec<&'static str>,
}

impl<'d> Fields<'d> {
    fn new(text: &'d str, table: &'d Table, what: &'static str) -> Self {
        Self { text, table, what, asked: Vec::new() }
    }

    fn error(&self, key: &str, message: impl fmt::Display) -> LockError {
        wrong(self.text, self.table.get(key).and_then(Item::span).or(self.table.span()), message)
    }

    fn optional(&mut self, key: &'static str) -> Option<&'d Item> {
        self.asked.push(key);
        self.table.get(key)
    }

    fn required(&mut self, key: &'static str) -> Read<&'d Item> {
        let item = self.optional(key);
        item.ok_or_else(|| self.error(key, format!("`{key}` is missing in {}", self.what)))
    }

    fn expected(&self, key: &str, expected: &str, item: &Item) -> LockError {
        self.error(key, format!("`{key}`: expected {expected}, found {}", item.type_name()))
    }

    fn text(&mut self, key: &'static str) -> Read<&'d str> {
        let item = self.required(key)?;
        item.as_str().ok_or_else(|| self.expected(key, "a string", item))
    }

    fn parsed<T>(&mut self, key: &'static str) -> Read<T>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        let text = self.text(key)?;
        text.parse().map_err(|error| self.error(key, format!("`{key}`: {error}")))
    }

    fn optional_parsed<T>(&mut self, key: &'static str) -> Read<Option<T>>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        if self.table.contains_key(key) { self.parsed(key).map(Some) } else { Ok(None) }
    }

    fn number(&mut self, key: &'static str) -> Read<u64> {
        let item = self.required(key)?;
        let number = item.as_integer().ok_or_else(|| self.expected(key, "a whole number", item))?;
        u64::try_from(number).map_err(|_| self.error(key, format!("`{key}`: {number} is below 0")))
    }

    fn flag(&mut self, key: &'static str) -> Read<bool> {
        match self.optional(key) {
            None => Ok(false),
            Some(item) => item.as_bool().ok_or_else(|| self.expected(key, "true or false", item)),
        }
    }

    /// A list of texts; none where the key is not there.
    fn list<T, E: fmt::Display>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&str) -> Result<T, E>,
    ) -> Read<Vec<T>> {
        let Some(item) = self.optional(key) else { return Ok(Vec::new()) };
        let array = item.as_array().ok_or_else(|| self.expected(key, "a list", item))?;
        let mut list = Vec::new();
        for line in array {
            let at_line = |message: String| wrong(self.text, line.span(), format!("`{key}`: {message}"));
            let text = line.as_str().ok_or_else(|| at_line(format!("expected strings, found {}", line.type_name())))?;
            list.push(read(text).map_err(|error| at_line(error.to_string()))?);
        }
        Ok(list)
    }

    /// The tables `[[key]]`; none where the key is not there.
    fn tables(&mut self, key: &'static str) -> Read<impl Iterator<Item = Fields<'d>> + use<'d>> {
        let what = match key {
            "registry" => "a `[[registry]]`",
            "plugin" => "a `[[plugin]]`",
            _ => "a `[[plugin.archive]]`",
        };
        let text = self.text;
        let item = self.optional(key);
        let tables = match item {
            None => None,
            Some(item) => {
                Some(item.as_array_of_tables().ok_or_else(|| self.expected(key, "tables in double brackets", item))?)
            }
        };
        Ok(tables.into_iter().flatten().map(move |table| Fields::new(text, table, what)))
    }

    /// What was not asked for, without the marks of where it stood.
    fn rest(&self) -> Unknown {
        let mut unknown = Table::new();
        for (key, item) in self.table.iter().filter(|(key, _)| !self.asked.contains(key)) {
            let mut item = item.clone();
            detach(&mut item);
            unknown.insert(key, item);
        }
        Unknown(unknown)
    }
}

/// Forgets where a table stood in the file it was read from, so that it is written where it is put.
fn detach(item: &mut Item) {
    match item {
        Item::Table(table) => {
            table.set_position(None);
            table.iter_mut().for_each(|(_, item)| detach(item));
        }
        Item::ArrayOfTables(tables) => tables.iter_mut().for_each(|table| {
            table.set_position(None);
            table.iter_mut().for_each(|(_, item)| detach(item));
        }),
        Item::Value(value) => value.decor_mut().clear(),
        Item::None => {}
    }
}
