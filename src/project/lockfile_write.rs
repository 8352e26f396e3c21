//! Writes `pocket.lock`: sorted, one fact a line, the same bytes for the same facts.

use pocket_index::permissions::Permissions;
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, Value, value};

use super::lockfile::{
    Basis, LockedArchive, LockedDependency, LockedPlugin, LockedRegistry, Lockfile, RegistryTrust, Source, Unknown,
};
use super::lockfile_read::{REVISION, VERSION};

/// What the file says of itself. The only comment: others are not kept.
const HEADER: &str = "\
# Written by Pocket; commit it, and change it with `pocket plugin install`, `update` and `uninstall`.
";

impl Lockfile {
    /// The file's text. Equal locks give equal bytes, in whatever order their parts stand.
    pub fn to_text(&self) -> String {
        let mut document = DocumentMut::new();
        let root = document.as_table_mut();
        root.insert("version", integer(VERSION));
        root.insert("revision", integer(self.revision.max(REVISION)));
        self.unknown.write(root);

        let mut registries: Vec<_> = self.registries.iter().collect();
        registries.sort_by(|a, b| a.name.cmp(&b.name));
        insert_tables(root, "registry", registries.into_iter().map(LockedRegistry::to_table));

        let mut plugins: Vec<_> = self.plugins.iter().collect();
        plugins.sort_by(|a, b| (&a.name, &a.version, &a.source).cmp(&(&b.name, &b.version, &b.source)));
        insert_tables(root, "plugin", plugins.into_iter().map(LockedPlugin::to_table));
        format!("{HEADER}{document}")
    }
}

impl LockedRegistry {
    fn to_table(&self) -> Table {
        let mut table = Table::new();
        table.insert("name", value(self.name.as_str()));
        table.insert("url", value(&self.url));
        match &self.trust {
            RegistryTrust::Unsigned => {
                table.insert("unsigned", value(true));
                self.unknown.write(&mut table);
            }
            RegistryTrust::Signed { keys, log } => {
                table.insert("keys", lines(keys.iter().map(ToString::to_string)));
                table.insert("log", value(&log.origin));
                table.insert("log_key", value(&log.key));
                table.insert("log_size", integer(log.size));
                table.insert("log_root", value(log.root.to_string()));
                self.unknown.write(&mut table);
            }
        }
        table
    }
}

impl LockedPlugin {
    fn to_table(&self) -> Table {
        let mut table = Table::new();
        table.insert("name", value(self.name.as_str()));
        table.insert("version", value(self.version.to_string()));
        table.insert("source", value(self.source.to_string()));
        table.insert("runtime", value(self.runtime.to_string()));
        if let Some(engine) = &self.engine {
            table.insert("pocket", value(engine.to_string()));
        }
        table.insert("trust", value(self.basis.as_str()));
        if let Basis::Log(event) = self.basis {
            table.insert("event", value(event.digest.to_string()));
            table.insert("log", integer(event.log));
        }
        insert_lines(&mut table, "signers", self.signers.iter().map(ToString::to_string));
        insert_lines(&mut table, "permissions", permission_lines(&self.permissions));
        let dependencies = self.dependencies.iter().map(|dependency| dependency_line(dependency, &self.source));
        insert_lines(&mut table, "dependencies", dependencies);
        self.unknown.write(&mut table);
        let mut archives: Vec<_> = self.archives.iter().collect();
        archives.sort_by(|a, b| a.target.cmp(&b.target));
        insert_tables(&mut table, "archive", archives.into_iter().map(LockedArchive::to_table));
        table
    }
}

impl LockedArchive {
    fn to_table(&self) -> Table {
        let mut table = Table::new();
        table.insert("target", value(self.target.as_str()));
        table.insert("file", value(&self.file));
        table.insert("size", integer(self.size));
        table.insert("sha256", value(self.sha256.to_string()));
        table.insert("tree", value(self.tree.to_string()));
        if let Some(url) = &self.url {
            table.insert("url", value(url));
        }
        self.unknown.write(&mut table);
        table
    }
}

impl Unknown {
    /// Writes the keys in order, plain values before tables: a key after a table would belong to the table.
    fn write(&self, table: &mut Table) {
        let mut entries: Vec<_> = self.0.iter().collect();
        entries.sort_by_key(|(key, item)| (!item.is_value(), *key));
        for (key, item) in entries {
            table.insert(key, item.clone());
        }
    }
}

/// `geo 1.2.0`, and the source where it is another one than the plugin's own.
fn dependency_line(dependency: &LockedDependency, own: &Source) -> String {
    let LockedDependency { name, version, source } = dependency;
    if source == own { format!("{name} {version}") } else { format!("{name} {version} {source}") }
}

/// `http api.example.com:443`: the kind as in a manifest, and the argument.
fn permission_lines(permissions: &Permissions) -> impl Iterator<Item = String> {
    let Permissions { env, http, network, filesystem, memory, timeout } = permissions;
    let lists = [("env", env), ("filesystem", filesystem), ("http", http), ("network", network)];
    let of_lists = lists.into_iter().flat_map(|(kind, list)| list.iter().map(move |one| format!("{kind} {one}")));
    let limits = [("memory", memory), ("timeout", timeout)];
    let of_limits = limits.into_iter().filter_map(|(kind, limit)| Some(format!("{kind} {}", limit.as_ref()?)));
    of_lists.chain(of_limits)
}

fn insert_tables(table: &mut Table, key: &str, tables: impl Iterator<Item = Table>) {
    let tables: ArrayOfTables = tables.collect();
    if !tables.is_empty() {
        table.insert(key, Item::ArrayOfTables(tables));
    }
}

fn insert_lines(table: &mut Table, key: &str, texts: impl Iterator<Item = String>) {
    let array = lines(texts);
    if array.as_array().is_some_and(|array| !array.is_empty()) {
        table.insert(key, array);
    }
}

/// A sorted list, one text a line.
fn lines(texts: impl Iterator<Item = String>) -> Item {
    let mut texts: Vec<_> = texts.collect();
    texts.sort();
    texts.dedup();
    let mut array = Array::new();
    for text in texts {
        let mut line = Value::from(text);
        line.decor_mut().set_prefix("\n    ");
        array.push_formatted(line);
    }
    if !array.is_empty() {
        array.set_trailing_comma(true);
        array.set_trailing("\n");
    }
    value(array)
}

/// TOML's integers are signed; what is counted here stays far below.
fn integer(number: u64) -> Item {
    value(i64::try_from(number).unwrap_or(i64::MAX))
}
