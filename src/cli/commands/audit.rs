//! `pocket plugin audit`.

use std::process::ExitCode;

use pocket_index::time::UtcTime;
use serde_json::{Value, json};

use crate::cli::arguments::{AuditArguments, Level};
use crate::cli::error::count;
use crate::cli::output::Output;
use crate::cli::table::table;
use crate::ops::OpsError;
use crate::ops::audit::{self, Audit, Finding, Kind, Severity};
use crate::registry::Network;

use super::{look, open_to_read};

/// The version of the schema that advisories follow: <https://ossf.github.io/osv-schema/>.
const OSV_VERSION: &str = "1.6.0";
/// In seconds.
const DAY: u64 = 86_400;

/// One document is printed whatever is found: a finding is no failure of the command.
pub fn run(arguments: &AuditArguments, output: &Output) -> Result<ExitCode, OpsError> {
    let workspace = open_to_read(arguments.scope)?;
    let network = if arguments.offline { Network::Offline } else { Network::Online };
    let audit = look(&workspace, output, audit::audit(&workspace, arguments.min_age.saturating_mul(DAY), network))?;
    output.result(&document(&audit), || text(&audit));
    let limit = severity(arguments.deny);
    let denied = audit.findings.iter().filter(|finding| finding.kind.severity() >= limit).count();
    Ok(if denied > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn severity(level: Level) -> Severity {
    match level {
        Level::Low => Severity::Low,
        Level::Medium => Severity::Medium,
        Level::High => Severity::High,
    }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
    }
}

fn text(audit: &Audit) -> String {
    let looked = count(audit.plugins, "plugin");
    if audit.findings.is_empty() {
        return format!("{looked}, nothing found\n");
    }
    let row = |finding: &Finding| {
        let plugin = format!("{} {}", finding.name, finding.version);
        let severity = word(finding.kind.severity()).to_owned();
        [severity, plugin, finding.kind.as_str().to_owned(), finding.message.clone()]
    };
    let rows: Vec<_> = audit.findings.iter().map(row).collect();
    let columns = table(["SEVERITY", "PLUGIN", "FOUND", "WHY"], &rows);
    format!("{columns}\n{looked}, {}\n", count(rows.len(), "finding"))
}

fn document(audit: &Audit) -> Value {
    let findings = audit.findings.iter().map(|finding| {
        json!({
            "name": finding.name,
            "version": finding.version,
            "source": finding.source,
            "found": finding.kind.as_str(),
            "severity": word(finding.kind.severity()),
            "message": finding.message,
        })
    });
    let withdrawn = audit.findings.iter().filter(|finding| matches!(finding.kind, Kind::Revoked | Kind::Yanked));
    let advisories = withdrawn.map(|finding| advisory(finding, audit.at));
    json!({
        "plugins": audit.plugins,
        "findings": findings.collect::<Vec<_>>(),
        "advisories": advisories.collect::<Vec<_>>(),
    })
}

/// A withdrawal in the shape of OSV. It is made anew by each audit, which is what `modified` says.
fn advisory(finding: &Finding, at: u64) -> Value {
    let Finding { name, version, source, kind, message } = finding;
    json!({
        "schema_version": OSV_VERSION,
        "id": format!("POCKET-{source}-{name}-{version}-{}", kind.as_str()),
        "modified": UtcTime(at).to_string(),
        "summary": format!("{name} {version} was {}", kind.as_str()),
        "details": message,
        "affected": [{ "package": { "ecosystem": "Pocket", "name": name }, "versions": [version] }],
        "database_specific": { "registry": source, "kind": kind.as_str() },
    })
}
