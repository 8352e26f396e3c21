//! What the disk does alone.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often a second a few bytes can be brought to the disk one after another.
pub fn syncs(folder: &Path) -> f64 {
    let mut file = File::create(folder.join("floor")).expect("a file");
    let (began, mut count) = (Instant::now(), 0_u32);
    while began.elapsed() < Duration::from_secs(2) {
        file.write_all(&[b'x'; 100]).and_then(|()| file.sync_data()).expect("the disk takes it");
        count += 1;
    }
    f64::from(count) / began.elapsed().as_secs_f64()
}
