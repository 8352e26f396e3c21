//! Where a request of a workflow may go. Who writes it, and who starts it, chooses freely: a host that stands in the workflow's file,
//! or in a field of the run's input, is reached wherever it is. Data does not: a host that another node's output brings, or a
//! server redirects to, must have public addresses only, unless the user lists the network. Otherwise whoever sends the data
//! could read what only this machine can reach.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use ipnet::IpNet;
use reqwest::Url;
use serde_json::{Map, Value};

use crate::engine::access::{Gate, Resolver, is_public};
use crate::engine::{CallError, CallErrorKind};
use crate::nodes::Allowed;
use crate::nodes::allowed::places;

/// Says for one node where its requests may go.
pub(super) struct Guard {
    /// Hosts and ports that stand in the workflow's file.
    written: Vec<(String, u16)>,
    allowed: Arc<Allowed>,
}

impl Guard {
    /// For a node with this `url`, in a file with these `vars`.
    pub(super) fn new(url: &str, vars: &Map<String, Value>, allowed: Arc<Allowed>) -> Self {
        let mut written: Vec<(String, u16)> = literal_part(url).iter().flat_map(places).collect();
        vars.values().for_each(|value| collect(value, &mut written));
        Self { written, allowed }
    }
}

impl Gate for Guard {
    fn addresses(
        &self,
        resolver: &Resolver,
        host: &str,
        port: u16,
        deadline: Instant,
    ) -> Result<Vec<SocketAddr>, CallError> {
        let addresses = resolver.addresses(host, deadline)?;
        let is_written = self.written.iter().any(|place| place.0 == host && place.1 == port);
        let is_chosen = is_written || self.allowed.is_given(host, port);
        // One private address is enough: otherwise the connection that fails first would decide.
        let private = addresses.iter().find(|address| !is_public(**address) && !self.allowed.may_reach(**address));
        match private {
            Some(private) if !is_chosen => {
                let network = IpNet::from(*private);
                let message = format!(
                    "`{host}:{port}` stands neither in the workflow's file nor in the run's input, and leads to the private address {private}; \
                     `plugins.security.private_networks: [{network}]` in pocket.yaml allows it"
                );
                Err(CallError::new(CallErrorKind::Denied, message))
            }
            _ => Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect()),
        }
    }
}

/// The URL, or as much of it as no template can change: up to the end of its host and port.
fn literal_part(url: &str) -> Option<Url> {
    let written = url.find("{{").map_or(url, |template| &url[..template]);
    let ends_its_host =
        written.len() == url.len() || written.split_once("://").is_some_and(|(_, rest)| rest.contains(['/', '?', '#']));
    if ends_its_host { Url::parse(written).ok() } else { None }
}

fn collect(value: &Value, written: &mut Vec<(String, u16)>) {
    match value {
        Value::String(text) if text.starts_with("http") => written.extend(Url::parse(text).iter().flat_map(places)),
        Value::Array(items) => items.iter().for_each(|item| collect(item, written)),
        Value::Object(entries) => entries.values().for_each(|item| collect(item, written)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::access::testing::{answering, soon};

    fn reaches(url: &str, host: &str, port: u16, address: &str) -> Result<(), String> {
        let vars = json!({"deep": {"bases": ["http://intern.example:8080/api", 7]}});
        let guard = Guard::new(url, vars.as_object().unwrap(), Arc::default());
        let found = guard.addresses(&answering(&[&[address]]), host, port, soon());
        found.map(drop).map_err(|error| error.message)
    }

    #[test]
    fn a_host_that_stands_in_the_file_is_reached_wherever_it_is() {
        assert_eq!(reaches("http://box:8000/a", "box", 8000, "10.0.0.5"), Ok(()));
        assert_eq!(reaches("http://box:8000/{{.path}}", "box", 8000, "10.0.0.5"), Ok(()));
        assert_eq!(reaches("http://box/", "box", 443, "10.0.0.5"), Ok(()));
        assert_eq!(reaches("{{.base}}/a", "intern.example", 8080, "10.0.0.5"), Ok(()));
    }

    #[test]
    fn a_host_that_the_run_is_given_is_reached_and_one_deeper_in_its_input_is_not() {
        let allowed = Arc::new(Allowed::default());
        allowed.give(&json!({"api": "http://box:8000/v1", "items": ["http://deep:80/"]}));
        let guard = Guard::new("{{.api}}", &Map::new(), allowed);
        let reaches = |host, port| guard.addresses(&answering(&[&["10.0.0.5"]]), host, port, soon()).is_ok();
        assert_eq!([reaches("box", 8000), reaches("box", 22), reaches("deep", 80)], [true, false, false]);
    }

    #[test]
    fn a_host_that_data_brings_must_be_public() {
        assert_eq!(reaches("{{.base}}", "example.com", 80, "1.1.1.1"), Ok(()));
        for (url, host, port) in [
            ("{{.base}}", "metadata", 80),
            ("http://{{.host}}/", "metadata", 80),
            // What follows the port could make a user name of it: `http://box:80@metadata`.
            ("http://box:80{{.rest}}", "box", 80),
            ("http://box:80/", "box", 6379),
            ("{{.base}}", "intern.example", 22),
        ] {
            let refused = reaches(url, host, port, "169.254.169.254").unwrap_err();
            assert!(refused.contains("leads to the private address 169.254.169.254"), "{url}: {refused}");
        }
    }
}
