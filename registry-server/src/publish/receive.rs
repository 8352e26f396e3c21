//! The body of a publish: its header into memory, its archives into a file that nobody else sees, piece by piece as they come.
//!
//! Nothing is waited for without end: a sender has a while to begin with, and then so many bytes a second at least.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::sync::Arc;
use std::time::Instant;

use axum::body::BodyDataStream;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use bytes::{Buf as _, Bytes};
use data_encoding::BASE64;
use futures_util::StreamExt as _;
use pocket_index::digest::{Digest, Hasher};
use pocket_index::publish::PublishHeader;
use pocket_index::record::Event;
use tokio::io::AsyncWriteExt as _;

use super::{malformed, refused};
use crate::config::Limits;
use crate::error::ApiError;

/// What came in.
pub(super) struct Received {
    pub header: PublishHeader,
    pub event: Event,
    /// The archives, one behind the other.
    pub archives: Arc<File>,
}

/// A body that is read under the server's limits.
struct Incoming<'a> {
    pieces: &'a mut BodyDataStream,
    limits: &'a Limits,
    begun: Instant,
    bytes: u64,
    digest: Hasher,
}

/// Reads a body whole. What its header says is judged by `admit` before the archives are read.
pub(super) async fn receive(
    headers: &HeaderMap,
    pieces: &mut BodyDataStream,
    limits: &Limits,
    admit: impl AsyncFnOnce(&PublishHeader, &Event) -> Result<(), ApiError>,
) -> Result<Received, ApiError> {
    let stated = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if stated.is_some_and(|stated| stated > limits.body_bytes) {
        return Err(too_large(limits));
    }
    let digest = stated_digest(headers)?;
    let mut incoming = Incoming { pieces, limits, begun: Instant::now(), bytes: 0, digest: Hasher::new() };
    let (header, event, rest) = incoming.header().await?;
    admit(&header, &event).await?;
    let expected = match &event {
        Event::Release(release) => release.archives.iter().fold(0_u64, |sum, archive| sum.saturating_add(archive.size)),
        _ => 0,
    };
    if expected > limits.body_bytes {
        return Err(too_large(limits));
    }
    let archives = incoming.archives(&event, rest, expected).await?;
    let found = incoming.digest.finish();
    match digest {
        Some(stated) if stated != found => {
            let message = format!("`Content-Digest` says sha256:{}, what came is sha256:{}", stated.hex(), found.hex());
            Err(ApiError::new(StatusCode::BAD_REQUEST, "digest_mismatch", message))
        }
        _ => Ok(Received { header, event, archives: Arc::new(archives) }),
    }
}

impl Incoming<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        let Limits { patience, least_rate, body_bytes, .. } = self.limits;
        let earned = patience.as_secs_f64() + self.bytes as f64 / (*least_rate).max(1) as f64;
        let left = (earned - self.begun.elapsed().as_secs_f64()).min(patience.as_secs_f64()).max(0.0);
        let piece = tokio::time::timeout(std::time::Duration::from_secs_f64(left), self.pieces.next()).await;
        let piece = piece.map_err(|_| {
            let message = format!("{} bytes came so far; at least {least_rate} a second are expected", self.bytes);
            ApiError::new(StatusCode::REQUEST_TIMEOUT, "too_slow", message)
        })?;
        let Some(piece) = piece.transpose().map_err(|error| malformed(&error))? else { return Ok(None) };
        self.bytes += piece.len() as u64;
        if self.bytes > *body_bytes {
            return Err(too_large(self.limits));
        }
        self.digest.update(&piece);
        Ok(Some(piece))
    }

    /// The header, its event, and what came behind them in the same piece.
    async fn header(&mut self) -> Result<(PublishHeader, Event, Bytes), ApiError> {
        let mut begun: Vec<u8> = Vec::new();
        let mut length = None;
        while length.is_none_or(|length| begun.len() < length) {
            let Some(piece) = self.next().await? else { break };
            begun.extend_from_slice(&piece);
            if let (None, Some(first)) = (length, begun.first_chunk::<4>()) {
                length = Some(4 + PublishHeader::length(*first).map_err(|error| malformed(&error))?);
            }
        }
        let (header, rest) = PublishHeader::decode(&begun).map_err(|error| malformed(&error))?;
        let event = header.event().map_err(|error| malformed(&error))?;
        let rest = begun.len() - rest.len();
        let mut begun = Bytes::from(begun);
        begun.advance(rest);
        Ok((header, event, begun))
    }

    async fn archives(&mut self, event: &Event, rest: Bytes, expected: u64) -> Result<File, ApiError> {
        let failed = |error: std::io::Error| ApiError::spool(error);
        let mut file = tokio::fs::File::from_std(tempfile::tempfile().map_err(failed)?);
        let (mut piece, mut count) = (Some(rest), 0_u64);
        while let Some(bytes) = piece {
            count += bytes.len() as u64;
            // What nobody announced is not kept, however much it is.
            if count > expected {
                return Err(match event {
                    Event::Release(_) => {
                        refused("trailing_bytes", &format!("{} bytes follow the last archive", count - expected))
                    }
                    _ => refused("unexpected_archive", &format!("a `{}` event brings no archives", event.kind())),
                });
            }
            file.write_all(&bytes).await.map_err(failed)?;
            piece = self.next().await?;
        }
        file.flush().await.map_err(failed)?;
        if count < expected {
            return Err(truncated(event, count));
        }
        Ok(file.into_std().await)
    }
}

/// Which archive is cut.
fn truncated(event: &Event, mut count: u64) -> ApiError {
    if let Event::Release(release) = event {
        for record in &release.archives {
            if count < record.size {
                let (file, size) = (&record.file, record.size);
                let message = format!("`{file}` is cut: the event says {size} bytes, {count} came");
                return refused("truncated", &message);
            }
            count -= record.size;
        }
    }
    refused("truncated", "the body is cut")
}

fn too_large(limits: &Limits) -> ApiError {
    let message = format!("a body has at most {} bytes here", limits.body_bytes);
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
}

/// `Content-Digest: sha-256=:<base64>:` (RFC 9530). Other algorithms are passed over.
fn stated_digest(headers: &HeaderMap) -> Result<Option<Digest>, ApiError> {
    let Some(value) = headers.get("content-digest") else { return Ok(None) };
    let wrong = || {
        let message = "`Content-Digest` is malformed: expected `sha-256=:<base64>:`";
        ApiError::new(StatusCode::BAD_REQUEST, "malformed", message)
    };
    let value = value.to_str().map_err(|_| wrong())?;
    let Some(member) = value.split(',').find_map(|member| member.trim().strip_prefix("sha-256=")) else {
        return Ok(None);
    };
    let encoded = member.strip_prefix(':').and_then(|member| member.strip_suffix(':')).ok_or_else(wrong)?;
    let bytes = BASE64.decode(encoded.as_bytes()).map_err(|_| wrong())?;
    Ok(Some(Digest::from_bytes(bytes.try_into().map_err(|_| wrong())?)))
}

/// A part of the file that holds the archives.
pub(super) fn read_part(mut file: &File, at: u64, size: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(size).map_err(std::io::Error::other)?];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}
