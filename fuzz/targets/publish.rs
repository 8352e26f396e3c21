//! The body of a publish request.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pocket_index::publish::PublishHeader;

fuzz_target!(|data: &[u8]| {
    let Ok((header, archives)) = PublishHeader::decode(data) else { return };
    let _ = header.event();
    let body = [header.encode(), archives.to_vec()].concat();
    let (again, rest) = PublishHeader::decode(&body).expect("what was read can be written");
    assert!(again == header && rest == archives);
});
