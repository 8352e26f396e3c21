//! Whether a place keeps to the conditions of writes. All that several writers have against each other is that it does, and a place
//! that takes a condition and passes over it shows that only when a log has two ends.

use std::hash::{BuildHasher as _, Hasher as _};

use super::{Condition, Fault, Put, Storage, StorageError};

/// What is tried out stands below this; a crash may leave it.
pub(crate) const PROBES: &str = "probe/";
/// An answer that got lost makes one's own write look like another's.
const ATTEMPTS: u32 = 3;

/// Writes a file twice as if there were none, and once as if it had not changed since.
///
/// # Errors
/// A write was done that must not be, or none is done at all.
pub(crate) async fn probe(storage: &dyn Storage) -> Result<(), StorageError> {
    let mut refused = "";
    for _ in 0..ATTEMPTS {
        let path = format!("{PROBES}{:016x}", std::hash::RandomState::new().build_hasher().finish());
        let probed = probe_at(storage, &path).await;
        let removed = storage.remove(&path).await;
        match probed? {
            Probed::Holds => return removed,
            Probed::Refused(write) => refused = write,
        }
    }
    Err(broken(storage, format!("{refused} was refused {ATTEMPTS} times")))
}

enum Probed {
    Holds,
    /// A write that had to succeed did not.
    Refused(&'static str),
}

async fn probe_at(storage: &dyn Storage, path: &str) -> Result<Probed, StorageError> {
    let put = async |content: &'static str, condition| storage.put(path, content.into(), condition).await;
    let Put::Done(first) = put("1", Condition::Absent).await? else {
        return Ok(Probed::Refused("a write on the condition that there is no file"));
    };
    if let Put::Done(_) = put("2", Condition::Absent).await? {
        return Err(broken(storage, "a second write on the condition that there is no file succeeded".to_owned()));
    }
    let Put::Done(_) = put("3", Condition::Unchanged(first.clone())).await? else {
        return Ok(Probed::Refused("a write on the condition that a file is unchanged"));
    };
    if let Put::Done(_) = put("4", Condition::Unchanged(first)).await? {
        let message = "a write on the condition that a file is unchanged succeeded after the file changed";
        return Err(broken(storage, message.to_owned()));
    }
    let left = storage.read(path).await?.map(|stored| stored.bytes).unwrap_or_default();
    if left != "3" {
        let message = format!("a write that was refused left `{}`", String::from_utf8_lossy(&left).escape_debug());
        return Err(broken(storage, message));
    }
    Ok(Probed::Holds)
}

fn broken(storage: &dyn Storage, message: String) -> StorageError {
    let source = format!("{message}: several writers would fork the log");
    StorageError {
        doing: "rely on conditional writes to",
        path: storage.place(),
        fault: Fault::Broken,
        source: source.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use bytes::Bytes;
    use object_store::memory::InMemory;

    use super::super::{Around, Bucket};
    use super::*;

    /// A bucket that takes conditions and passes over some.
    #[derive(Debug)]
    struct Careless {
        inner: Bucket,
        passes_over: fn(&Condition) -> bool,
    }

    #[async_trait]
    impl Around for Careless {
        fn inner(&self) -> &dyn Storage {
            &self.inner
        }

        async fn put_around(&self, path: &str, bytes: Bytes, condition: Condition) -> Result<Put, StorageError> {
            let condition = if (self.passes_over)(&condition) { Condition::Always } else { condition };
            self.inner.put(path, bytes, condition).await
        }
    }

    async fn probed(passes_over: fn(&Condition) -> bool) -> Result<(), String> {
        let inner = Bucket::of(Arc::new(InMemory::new()));
        let storage = Careless { inner, passes_over };
        let probed = probe(&storage).await.map_err(|error| crate::error::chain(&error));
        assert!(storage.list("").await.expect("it is listed").is_empty(), "nothing is left");
        probed
    }

    #[tokio::test]
    async fn a_bucket_that_passes_over_a_condition_is_refused() {
        assert_eq!(probed(|_| false).await, Ok(()));
        let told = probed(|condition| *condition == Condition::Absent).await.expect_err("it forks the log");
        assert!(told.starts_with("cannot rely on conditional writes to `memory`: a second write"), "{told}");
        let told =
            probed(|condition| matches!(condition, Condition::Unchanged(_))).await.expect_err("it forks the log");
        assert!(told.contains("succeeded after the file changed"), "{told}");
    }
}
