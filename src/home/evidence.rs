//! What a registry showed that does not fit together, kept for those who can judge it: `evidence/<registry>-<n>.txt`.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use super::{Home, HomeError, io_error};

/// Writes evidence against the registry with this id to a new file. What was kept before is not kept twice.
///
/// # Errors
/// The file cannot be written.
pub fn keep(home: &Home, registry: &str, text: &str) -> Result<PathBuf, HomeError> {
    let folder = home.evidence();
    fs::create_dir_all(&folder).map_err(io_error("create", &folder))?;
    for number in 1_u32.. {
        let path = folder.join(format!("{registry}-{number}.txt"));
        match fs::File::create_new(&path) {
            Ok(mut file) => {
                let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
                return written.map(|()| path.clone()).map_err(io_error("write", &path));
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if fs::read(&path).map_err(io_error("read", &path))? == text.as_bytes() {
                    return Ok(path);
                }
            }
            Err(error) => return Err(io_error("create", &path)(error)),
        }
    }
    unreachable!("nobody keeps four billion files in a folder")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_of_evidence_has_one_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path());
        let kept = |text: &str| keep(&home, "abc", text).expect("it is written");
        let (one, other) = (kept("one"), kept("other"));
        assert_eq!(one, home.evidence().join("abc-1.txt"));
        assert_eq!(other, home.evidence().join("abc-2.txt"));
        assert_eq!(kept("one"), one);
        assert_eq!(fs::read_to_string(other).expect("it is there"), "other");
    }
}
