//! What several owners send, and what nobody signed.

use pocket_index::publish::PublishHeader;
use pocket_index::record::{Event, OwnerKeys};
use pocket_index::signature::SecretKey;

use crate::plugin::signed;

/// The body of a change of owners.
pub fn owner_keys(name: &str, keys: &[&SecretKey], threshold: u32, author: &SecretKey) -> Vec<u8> {
    let keys = keys.iter().map(|key| key.public()).collect();
    signed(&Event::OwnerKeys(OwnerKeys { name: name.parse().expect("a name"), keys, threshold }), author)
}

/// The same body without its signatures.
pub fn unsigned(body: &[u8]) -> Vec<u8> {
    let (header, rest) = PublishHeader::decode(body).expect("a body");
    [PublishHeader { signatures: Vec::new(), ..header }.encode(), rest.to_vec()].concat()
}
