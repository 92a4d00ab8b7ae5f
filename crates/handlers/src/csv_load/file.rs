//! The bytes of the file, piece by piece, the next one on its way while one is worked on.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::{Stop, Task};
use crate::aws::{Aws, Deadline, Failure, ObjectVersion, Piece};
use crate::csv::{Judged, LOOKED_AT, Position, Refusal, Rows, Rules};

/// Two are in memory at a time.
const PIECE: u64 = 4 << 20;

struct Pieces {
    aws: Arc<Aws>,
    object: Arc<ObjectVersion>,
    deadline: Deadline,
    coming: Option<JoinHandle<Result<Piece, Failure>>>,
    offset: u64,
    /// Of the whole file, once a piece of it is there.
    size: u64,
}

impl Pieces {
    fn from(task: &Task<'_>, offset: u64) -> Self {
        let (aws, object) = (task.aws.clone(), Arc::new(task.object()));
        let mut pieces = Self { aws, object, deadline: task.invocation.deadline, coming: None, offset, size: u64::MAX };
        pieces.ask();
        pieces
    }

    /// The next piece; none at the end.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Stop> {
        let Some(coming) = self.coming.take() else { return Ok(None) };
        let ended = coming.await.unwrap_or_else(|error| Err(Failure::Unsendable(error.to_string())));
        match ended.map_err(|failure| Stop::problem("read the file", failure))? {
            Piece::Bytes { bytes, size } => {
                self.size = size;
                self.offset += bytes.len() as u64;
                if !bytes.is_empty() && self.offset < size {
                    self.ask();
                }
                Ok((!bytes.is_empty()).then_some(bytes))
            }
            Piece::Replaced => Err(Stop::Refused("the file was replaced before all of it was read".into(), None)),
            Piece::Gone => Err(Stop::Refused("the file was removed before all of it was read".into(), None)),
        }
    }

    fn ask(&mut self) {
        let (aws, object, offset, deadline) = (self.aws.clone(), self.object.clone(), self.offset, self.deadline);
        self.coming = Some(tokio::spawn(async move { aws.get_piece(&object, offset, PIECE, deadline).await }));
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        if let Some(coming) = &self.coming {
            coming.abort();
        }
    }
}

/// The rows of the file, piece by piece.
pub struct File {
    pieces: Pieces,
    rows: Rows,
    piece: Vec<u8>,
    used: usize,
}

impl File {
    /// From its beginning.
    pub async fn open(task: &Task<'_>, rules: &Arc<Rules>) -> Result<Self, Stop> {
        let mut pieces = Pieces::from(task, 0);
        let piece = pieces.next().await?.ok_or(Refusal::Empty)?;
        let rows = Rows::begin(rules.clone(), &piece[..piece.len().min(LOOKED_AT)])?;
        let used = usize::try_from(rows.position().offset).unwrap_or(0);
        Ok(Self { pieces, rows, piece, used })
    }

    /// From further on; the header is read first.
    pub async fn open_at(task: &Task<'_>, rules: &Arc<Rules>, position: Position) -> Result<Self, Stop> {
        let mut file = Self::open(task, rules).await?;
        if position.rows > 0 {
            while !file.rows.has_header() && !file.take(|_| Ok(true))? && file.more().await? {}
            file.rows.go_on(position);
            file.pieces = Pieces::from(task, position.offset);
            (file.piece, file.used) = (Vec::new(), 0);
        }
        Ok(file)
    }

    /// Bytes of all of it.
    pub fn size(&self) -> u64 {
        self.pieces.size
    }

    /// Behind the row that was taken last.
    pub fn position(&self) -> Position {
        self.rows.position()
    }

    /// The names of the columns, once the header was read.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.rows.columns()
    }

    /// Hands over the rows of the piece until one is enough, and says whether one was; if not, [`Self::more`] follows.
    pub fn take(&mut self, mut enough: impl FnMut(&Judged<'_>) -> Result<bool, Refusal>) -> Result<bool, Refusal> {
        let mut input = &self.piece[self.used..];
        while let Some(judged) = self.rows.next(&mut input)? {
            if enough(&judged)? {
                self.used = self.piece.len() - input.len();
                return Ok(true);
            }
        }
        self.used = self.piece.len();
        Ok(false)
    }

    /// The row behind the last end of line, once there is no more.
    pub fn last(&mut self, mut take: impl FnMut(&Judged<'_>) -> Result<bool, Refusal>) -> Result<(), Refusal> {
        if let Some(judged) = self.rows.end()? {
            take(&judged)?;
        }
        Ok(())
    }

    /// The next piece, where there is one.
    pub async fn more(&mut self) -> Result<bool, Stop> {
        match self.pieces.next().await? {
            None => Ok(false),
            Some(piece) => {
                (self.piece, self.used) = (piece, 0);
                Ok(true)
            }
        }
    }
}
