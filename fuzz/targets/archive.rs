//! The archive reader, behind gzip's checksum and tar's: the input is a tar stream, and is given right checksums.
//! What is accepted can be packed, and is the same archive then.

#![no_main]

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use libfuzzer_sys::fuzz_target;
use pocket_index::archive;
use pocket_index::limits::Limits;

const BLOCK: usize = 512;

fuzz_target!(|data: &[u8]| {
    let Some((mode, tar)) = data.split_first() else { return };
    let bytes = match mode % 4 {
        0 => tar.to_vec(),
        1 => gzipped(tar),
        _ => gzipped(&with_checksums(tar)),
    };
    let limits = Limits::default();
    let Ok(read) = archive::read(bytes.as_slice(), &limits) else { return };
    let _ = read.manifest();
    let packed = archive::pack(read.entries(), &limits).expect("what was read can be packed");
    let again = archive::read(packed.as_slice(), &limits).expect("what was packed can be read");
    assert!(again.is_canonical(&packed));
    assert_eq!(again.tree(), read.tree());
});

fn gzipped(tar: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(tar).and_then(|()| gzip.finish()).expect("a vector takes every byte")
}

/// Every block that says `ustar` is taken for a header.
fn with_checksums(tar: &[u8]) -> Vec<u8> {
    let mut tar = tar.to_vec();
    tar.resize(tar.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    for block in tar.chunks_exact_mut(BLOCK).filter(|block| block[257..262] == *b"ustar") {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    tar
}
