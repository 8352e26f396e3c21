//! Every reason to refuse an archive.

use std::io;

use super::path::PathError;
use crate::limits::{END_PADDING_BYTES, MANIFEST_BYTES, PAX_BYTES};
use crate::manifest::ManifestError;

/// Why an archive is refused. Entries are named with control characters escaped.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The bytes could not be had.
    #[error("cannot read the archive")]
    Io(#[source] io::Error),
    /// The file is larger than [`crate::limits::Limits::archive`].
    #[error("the archive has more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// It does not start like gzip.
    #[error("the file is not a gzip archive (`.tar.gz`)")]
    NotGzip,
    /// The gzip member ends too early.
    #[error("the gzip stream is cut off")]
    GzipTruncated,
    /// The gzip member is damaged: its data, its checksum or its length.
    #[error("the gzip stream is damaged: {detail}")]
    GzipDamaged {
        /// What the decoder says.
        detail: String,
    },
    /// A second member, or anything else, follows the gzip member. Some readers go on, some stop.
    #[error("{bytes} bytes follow the gzip stream")]
    AfterGzip {
        /// How many.
        bytes: usize,
    },
    /// It unpacks to too many times its size.
    #[error("the archive unpacks to more than {ratio} times its {archive} bytes")]
    Ratio {
        /// The limit.
        ratio: u64,
        /// The archive's size in bytes.
        archive: u64,
    },
    /// The tar stream ends inside a header.
    #[error("the tar stream is cut off after {at} bytes, inside a header")]
    HeaderTruncated {
        /// Bytes before the end.
        at: u64,
    },
    /// The tar stream ends inside a file's content.
    #[error("entry `{entry}` is cut off: {size} bytes were announced")]
    ContentTruncated {
        /// The entry.
        entry: String,
        /// What its header says.
        size: u64,
    },
    /// The two blocks of zeros are missing.
    #[error("the tar stream ends without its end marker, two blocks of zeros")]
    NoEndMarker,
    /// Something follows the end marker. Some readers go on, some stop.
    #[error("data follows the tar stream's end marker")]
    AfterEnd,
    /// More zeros than any tar writes.
    #[error("more than {END_PADDING_BYTES} zero bytes stand at the end of the tar stream")]
    EndPadding,
    /// A header's checksum is wrong.
    #[error("entry `{entry}` has a wrong header checksum")]
    Checksum {
        /// The entry.
        entry: String,
    },
    /// A header of another format.
    #[error(
        "entry `{entry}` has a header that is neither ustar nor plain GNU; pack with `pocket plugin pack` or `tar --format=ustar`"
    )]
    Format {
        /// The entry.
        entry: String,
    },
    /// A GNU header with bytes in the fields of GNU's extensions.
    #[error("entry `{entry}` uses an extension of GNU tar; pack with `pocket plugin pack` or `tar --format=ustar`")]
    GnuExtension {
        /// The entry.
        entry: String,
    },
    /// A number is not written in octal digits.
    #[error("entry `{entry}` has a {field} that is not written in octal digits")]
    Number {
        /// The entry.
        entry: String,
        /// The header's field.
        field: &'static str,
    },
    /// A hard or symbolic link. Following one would read or write outside the plugin's folder.
    #[error("entry `{entry}` is a {kind} link to `{target}`; only files and folders are allowed")]
    Link {
        /// The entry.
        entry: String,
        /// `hard` or `symbolic`.
        kind: &'static str,
        /// Where it points.
        target: String,
    },
    /// A device or FIFO.
    #[error("entry `{entry}` is a {kind}; only files and folders are allowed")]
    Special {
        /// The entry.
        entry: String,
        /// What it is.
        kind: &'static str,
    },
    /// Another kind of entry.
    #[error("entry `{entry}` is of the unknown kind `{kind}`; only files and folders are allowed")]
    UnknownKind {
        /// The entry.
        entry: String,
        /// The header's type byte, escaped.
        kind: String,
    },
    /// A PAX header for all entries that follow, which readers treat differently.
    #[error("entry `{entry}` is a global PAX header, which is not allowed")]
    GlobalPax {
        /// The entry.
        entry: String,
    },
    /// A PAX header larger than [`PAX_BYTES`].
    #[error("a PAX header has {size} bytes, at most {PAX_BYTES} are allowed")]
    PaxTooLarge {
        /// Its size.
        size: u64,
    },
    /// A PAX header whose records cannot be read in one way only.
    #[error("a PAX header is malformed: expected records `<length> <key>=<value>` with a line break")]
    PaxMalformed,
    /// A PAX record other than `path` and `size`.
    #[error(
        "a PAX header sets `{key}`; only `path` and `size` are allowed; pack with `pocket plugin pack` or `tar --format=ustar`"
    )]
    PaxKey {
        /// The record's key.
        key: String,
    },
    /// A PAX record that stands twice.
    #[error("a PAX header sets `{key}` twice")]
    PaxTwice {
        /// The record's key.
        key: String,
    },
    /// A PAX header that no entry follows.
    #[error("a PAX header is followed by no file or folder")]
    PaxAlone,
    /// Two sizes: readers with and without PAX would see different entries.
    #[error("entry `{entry}` has {header} bytes by its header and {pax} by its PAX header")]
    PaxSize {
        /// The entry.
        entry: String,
        /// The header's size.
        header: u64,
        /// The PAX header's size.
        pax: u64,
    },
    /// A name that is not UTF-8.
    #[error("entry `{entry}` has a name that is not UTF-8")]
    NotUtf8 {
        /// The entry, the foreign bytes replaced.
        entry: String,
    },
    /// Bytes behind the zero that ends a name.
    #[error("entry `{entry}` hides bytes behind the end of its name")]
    HiddenName {
        /// The entry.
        entry: String,
    },
    /// A path that is not allowed.
    #[error("entry `{entry}` is refused: {source}")]
    Path {
        /// The entry.
        entry: String,
        /// Why.
        source: PathError,
    },
    /// A folder that has content.
    #[error("entry `{entry}` is a folder with {size} bytes of content")]
    FolderContent {
        /// The entry.
        entry: String,
        /// How much.
        size: u64,
    },
    /// A file whose name ends as a folder's does.
    #[error("entry `{entry}` is a file whose name ends in `/`")]
    FileSlash {
        /// The entry.
        entry: String,
    },
    /// Bytes in the space between a content's end and the next header.
    #[error("entry `{entry}` hides bytes behind its content")]
    HiddenContent {
        /// The entry.
        entry: String,
    },
    /// The same path again.
    #[error("entry `{entry}` stands twice")]
    Duplicate {
        /// The entry.
        entry: String,
    },
    /// Two paths that some file systems take for one.
    #[error("entries `{entry}` and `{other}` are the same on file systems that ignore case or Unicode's spellings")]
    Collision {
        /// The later one.
        entry: String,
        /// The earlier one.
        other: String,
    },
    /// A path that is a file here and a folder there.
    #[error("`{path}` is a file and a folder at once")]
    FileAndFolder {
        /// The path.
        path: String,
    },
    /// Too many entries.
    #[error("the archive has more than {limit} entries")]
    TooManyEntries {
        /// The limit.
        limit: u64,
    },
    /// Too many bytes when unpacked.
    #[error("entry `{entry}` would bring the unpacked files to {total} bytes, at most {limit} are allowed")]
    Unpacked {
        /// The entry that went too far.
        entry: String,
        /// The sum with it.
        total: u64,
        /// The limit.
        limit: u64,
    },
    /// The manifest is too large.
    #[error("`manifest.yaml` has {size} bytes, at most {MANIFEST_BYTES} are allowed")]
    ManifestTooLarge {
        /// Its size.
        size: u64,
    },
    /// There is no manifest.
    #[error("the archive has no `manifest.yaml` in its root")]
    NoManifest,
    /// The manifest stands in a folder.
    #[error("the archive has no `manifest.yaml` in its root, but one in `{folder}`; pack from inside that folder")]
    ManifestInFolder {
        /// The folder.
        folder: String,
    },
    /// The manifest is not as it must be.
    #[error("`manifest.yaml`: {0}")]
    Manifest(#[from] ManifestError),
    /// A file that the manifest names is missing.
    #[error("`manifest.yaml` names the {field} `{path}`, which is not in the archive")]
    FileMissing {
        /// The manifest's field.
        field: &'static str,
        /// The path it names.
        path: String,
    },
}
