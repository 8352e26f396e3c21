//! What is sent to a witness and what it answers: C2SP `tlog-witness`, call `add-checkpoint`.

use data_encoding::BASE64;

use crate::log::{
    Checkpoint, CheckpointError, Cosignature, CosignatureError, CosignerKey, NodeHash, NoteKey, TileError, TileSource,
    prove_consistency,
};

/// The path below a witness's URL.
pub const ADD_CHECKPOINT: &str = "add-checkpoint";
/// What the answer's body is when it is the size of the log that the witness saw.
pub const SIZE_CONTENT_TYPE: &str = "text/x.tlog.size";
/// 63: no proof for a tree that can be counted is longer.
pub const MAX_PROOF: usize = 63;
/// 72 KiB: the lines of a proof, and a note of 64 KiB.
pub const MAX_REQUEST_BYTES: usize = 72 << 10;
/// 64 KiB, like a note: the lines of an answer join one.
pub const MAX_ANSWER_BYTES: usize = 64 << 10;

/// A checkpoint on its way to a witness, and the proof that the log grew into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size of the log that the witness saw last, as the sender believes; 0 if it saw none.
    pub old: u64,
    /// The hashes that lead from there to the checkpoint: RFC 6962, section 2.1.2.
    pub proof: Vec<NodeHash>,
    /// The checkpoint: a signed note. Nothing of it is checked.
    pub note: String,
}

/// Why bytes are no such request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddCheckpointError {
    /// Too long.
    #[error("the request has {bytes} bytes, at most {MAX_REQUEST_BYTES} are allowed")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Not UTF-8.
    #[error("the request is not UTF-8 text")]
    NotText,
    /// The first line is not `old N`.
    #[error("the first line is `{}`, expected `old <size>`", found.escape_debug())]
    Old {
        /// What stands there.
        found: String,
    },
    /// A line of the proof is no hash.
    #[error("line {line} is `{}`, expected the base64 of a hash, or nothing before the checkpoint", found.escape_debug())]
    Hash {
        /// Which line, from 1.
        line: usize,
        /// What stands there.
        found: String,
    },
    /// More hashes than any proof has.
    #[error("the proof has more than {MAX_PROOF} hashes")]
    TooMany,
    /// The lines end before the checkpoint.
    #[error("the request ends before its checkpoint")]
    Truncated,
    /// What stands behind the empty line is no checkpoint.
    #[error("the request's checkpoint is malformed")]
    Checkpoint(#[source] CheckpointError),
}

/// Why a witness's answer does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// The lines are none of a note.
    #[error("the answer is not made of signature lines")]
    Lines(#[source] CheckpointError),
    /// None of the lines is of the witness.
    #[error("the answer has no cosignature of {key}")]
    Absent {
        /// The witness that was asked.
        key: CosignerKey,
    },
    /// A line under the witness's name is not its.
    #[error(transparent)]
    Cosignature(#[from] CosignatureError),
}

impl AddCheckpoint {
    /// A checkpoint, with the proof that it grew from `old` leaves. None if it has fewer.
    pub fn prove(checkpoint: &Checkpoint, old: u64, tiles: &impl TileSource) -> Result<Option<Self>, TileError> {
        let size = checkpoint.size();
        if old > size {
            return Ok(None);
        }
        let proof = if old == size { Some(Vec::new()) } else { prove_consistency(old, size, tiles)? };
        Ok(Some(Self { old, proof: proof.unwrap_or_default(), note: checkpoint.note().to_owned() }))
    }

    /// The body of the request.
    pub fn encode(&self) -> String {
        let proof: String = self.proof.iter().map(|hash| format!("{hash}\n")).collect();
        format!("old {}\n{proof}\n{}", self.old, self.note)
    }

    /// Reads the body of a request; each has one spelling. Of the checkpoint only the form is checked.
    pub fn decode(body: &[u8]) -> Result<Self, AddCheckpointError> {
        if body.len() > MAX_REQUEST_BYTES {
            return Err(AddCheckpointError::TooLarge { bytes: body.len() });
        }
        let text = str::from_utf8(body).map_err(|_| AddCheckpointError::NotText)?;
        let (first, mut rest) = text.split_once('\n').ok_or(AddCheckpointError::Truncated)?;
        let old = old_size(first).ok_or_else(|| AddCheckpointError::Old { found: first.to_owned() })?;
        let mut proof = Vec::new();
        loop {
            let (line, after) = rest.split_once('\n').ok_or(AddCheckpointError::Truncated)?;
            rest = after;
            if line.is_empty() {
                break;
            }
            if proof.len() == MAX_PROOF {
                return Err(AddCheckpointError::TooMany);
            }
            let malformed = || AddCheckpointError::Hash { line: proof.len() + 2, found: line.to_owned() };
            proof.push(hash(line).ok_or_else(malformed)?);
        }
        Checkpoint::origin_of(rest.as_bytes()).map_err(AddCheckpointError::Checkpoint)?;
        Ok(Self { old, proof, note: rest.to_owned() })
    }
}

/// The cosignature of `key` in a witness's answer, checked over the checkpoint that it was asked about.
pub fn read_answer(
    answer: &str,
    checkpoint: &Checkpoint,
    log: &NoteKey,
    key: &CosignerKey,
) -> Result<Cosignature, AnswerError> {
    let lines = answer.lines().filter(|line| line.starts_with("— ")).count();
    if lines == 0 || lines != answer.lines().count() {
        return Err(AnswerError::Absent { key: key.clone() });
    }
    // Lines of the witness that the checkpoint has already do not speak for this answer.
    let bare = checkpoint.bare(log).map_err(AnswerError::Lines)?;
    let joined = format!("{}{answer}", bare.note());
    let answered = Checkpoint::open(joined.as_bytes(), log).map_err(AnswerError::Lines)?;
    answered.cosignature(key)?.ok_or_else(|| AnswerError::Absent { key: key.clone() })
}

/// The size in a 409's body.
pub fn read_size(answer: &str) -> Option<u64> {
    number(answer.strip_suffix('\n')?)
}

fn old_size(line: &str) -> Option<u64> {
    number(line.strip_prefix("old ")?)
}

fn number(text: &str) -> Option<u64> {
    text.parse::<u64>().ok().filter(|number| number.to_string() == text)
}

/// Base64 has one spelling.
fn hash(line: &str) -> Option<NodeHash> {
    let bytes: [u8; 32] = BASE64.decode(line.as_bytes()).ok()?.try_into().ok()?;
    Some(NodeHash::from_bytes(bytes))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::log::Cosigner;
    use crate::record::Event;
    use crate::testing::{TestIndex, key, release};

    /// The note in C2SP `tlog-cosignature`.
    pub(crate) const EXAMPLE_NOTE: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
        — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
        — witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

    /// The head of the request in C2SP `tlog-witness`.
    const EXAMPLE_HEAD: &str = "old 20852014\nPlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\
        jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n\
        /6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\n";

    #[test]
    fn the_example_of_the_standard_is_read_and_written_as_it_is() {
        let request = AddCheckpoint::decode(format!("{EXAMPLE_HEAD}{EXAMPLE_NOTE}").as_bytes()).expect("the example");
        assert_eq!((request.old, request.proof.len()), (20_852_014, 4));
        assert_eq!(request.note, EXAMPLE_NOTE);
        assert_eq!(request.encode(), format!("{EXAMPLE_HEAD}{EXAMPLE_NOTE}"));
    }

    #[test]
    fn a_request_that_was_cut_is_none() {
        let whole = format!("{EXAMPLE_HEAD}{EXAMPLE_NOTE}");
        let with_one_signature = whole.find("— witness").expect("the second signature");
        for end in 0..whole.len() {
            let read = AddCheckpoint::decode(&whole.as_bytes()[..end]);
            assert_eq!(read.is_ok(), end == with_one_signature, "cut at {end}: {read:?}");
        }
    }

    #[test]
    fn what_is_no_request_is_told_with_its_place() {
        let hash = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n";
        let shown = |head: &str| {
            let error = AddCheckpoint::decode(format!("{head}{EXAMPLE_NOTE}").as_bytes()).expect_err("no request");
            error.to_string()
        };
        let found = [
            shown("old 01\n\n"),
            shown("old +1\n\n"),
            shown("old -1\n\n"),
            shown("old\n\n"),
            shown("OLD 1\n\n"),
            shown("old 18446744073709551616\n\n"),
            shown("old 1\n"),
            shown("old 1\nAAAA\n\n"),
            shown(&format!("old 1\n{}\r\n\n", hash.trim_end())),
            shown(&format!("old 1\n{}\n", hash.repeat(64))),
        ];
        insta::assert_snapshot!(found.join("\n"), @r"
        the first line is `old 01`, expected `old <size>`
        the first line is `old +1`, expected `old <size>`
        the first line is `old -1`, expected `old <size>`
        the first line is `old`, expected `old <size>`
        the first line is `OLD 1`, expected `old <size>`
        the first line is `old 18446744073709551616`, expected `old <size>`
        line 2 is `example.com/behind-the-sofa`, expected the base64 of a hash, or nothing before the checkpoint
        line 2 is `AAAA`, expected the base64 of a hash, or nothing before the checkpoint
        line 2 is `PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\r`, expected the base64 of a hash, or nothing before the checkpoint
        the proof has more than 63 hashes
        ");
        assert_eq!(AddCheckpoint::decode(b"old 1\n\n\xff\n"), Err(AddCheckpointError::NotText));
        let large = AddCheckpoint::decode(&vec![b'a'; MAX_REQUEST_BYTES + 1]);
        assert!(matches!(large, Err(AddCheckpointError::TooLarge { .. })));
        assert!(AddCheckpoint::decode(format!("old 1\n{}\n{EXAMPLE_NOTE}", hash.repeat(63)).as_bytes()).is_ok());
    }

    #[test]
    fn an_answer_counts_if_the_witness_signed_this_checkpoint() {
        let index = TestIndex::new();
        index.append(Event::Release(Box::new(release("redis", "1.0.0"))), &[&key(1)]);
        let (checkpoint, log) = (index.checkpoint(), index.signer.key());
        let (secret, other) = (key(7), key(8));
        let (witness, stranger) =
            (Cosigner::new("w", &secret).expect("a name"), Cosigner::new("v", &other).expect("a name"));
        let (mine, theirs) = (witness.cosign(&checkpoint, 5), stranger.cosign(&checkpoint, 5));
        let read = |answer: &str| read_answer(answer, &checkpoint, log, witness.key());
        assert_eq!(read(mine.line()), Ok(mine.clone()));
        assert_eq!(read(&format!("{}{}", theirs.line(), mine.line())), Ok(mine.clone()));
        let absent = AnswerError::Absent { key: witness.key().clone() };
        assert_eq!(read(theirs.line()), Err(absent.clone()));
        assert_eq!(read(""), Err(absent.clone()));
        assert_eq!(read(&format!("\nevil\n\n{}", mine.line())), Err(absent));
        let of_another = witness.cosign(&TestIndex::new().checkpoint(), 5);
        assert!(matches!(read(of_another.line()), Err(AnswerError::Cosignature(CosignatureError::Mismatch { .. }))));
        // What the checkpoint has already is no answer.
        let before = checkpoint.with_cosignatures([(witness.key(), &mine)]).expect("it fits");
        let silent = read_answer(theirs.line(), &before, log, witness.key());
        assert!(matches!(silent, Err(AnswerError::Absent { .. })), "{silent:?}");
    }

    #[test]
    fn a_size_has_one_spelling() {
        assert_eq!(read_size("20852014\n"), Some(20_852_014));
        for bad in ["", "\n", "1", "01\n", "+1\n", "1\n\n", "-1\n"] {
            assert_eq!(read_size(bad), None, "{bad:?}");
        }
    }
}
