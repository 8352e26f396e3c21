//! One change of a project at a time: whoever edits `pocket.yaml` or `pocket.lock` waits for its turn.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use pocket_index::digest::Digest;

use super::{Home, HomeError, io_error};

/// The right to change a project's files. Given up when dropped, and by the kernel if the process dies.
#[derive(Debug)]
pub struct Turn {
    _file: File,
}

/// Waits until no other process changes the project in `root`. `waiting` is called once if one does.
///
/// The lock stands in the home, for a project may be in a folder that is shared, read only or under version control.
///
/// # Errors
/// The lock's file cannot be made.
pub fn take(home: &Home, root: &Path, waiting: &dyn Fn()) -> Result<Turn, HomeError> {
    let root = fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
    let id = Digest::of(root.as_os_str().as_encoded_bytes()).hex();
    let path = home.turns().join(format!("{}.lock", &id[..16]));
    fs::create_dir_all(home.turns()).map_err(io_error("create", &home.turns()))?;
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(io_error("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            waiting();
            file.lock().map_err(io_error("lock", &path))?;
        }
        Err(TryLockError::Error(source)) => return Err(io_error("lock", &path)(source)),
    }
    Ok(Turn { _file: file })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use super::*;

    #[test]
    fn changes_of_one_project_follow_each_other() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path().join("home"));
        let (busy, done) = (AtomicBool::new(false), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let turn = take(&home, folder.path(), &|| {}).expect("its turn comes");
                    assert!(!busy.swap(true, Ordering::SeqCst), "two at once");
                    std::thread::yield_now();
                    busy.store(false, Ordering::SeqCst);
                    done.fetch_add(1, Ordering::SeqCst);
                    drop(turn);
                });
            }
        });
        assert_eq!(done.into_inner(), 8);
    }

    #[test]
    fn other_projects_do_not_wait() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path().join("home"));
        let never = || panic!("nobody else changes this project");
        let _one = take(&home, &folder.path().join("one"), &never).expect("it is free");
        take(&home, &folder.path().join("other"), &never).expect("it is free");
    }
}
