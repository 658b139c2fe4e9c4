//! Where results of other builds come from: `--cache-from`. Nothing but this machine's own cache knows any yet.

use spec::digest::{ChainId, Digest};
use store::StepRecord;

use super::solver::StepError;

/// Knows results that are not in this machine's cache.
pub(crate) trait Known: Sync {
    /// What the step of this key made on the layers `below`. When it answers, the layer is in the store, above `below`.
    ///
    /// # Errors
    /// It is known, and could not be brought here. That it is not known is no error.
    fn step(&self, key: &Digest, below: &[ChainId]) -> Result<Option<StepRecord>, StepError>;
}

/// Knows nothing.
pub(crate) struct Nobody;

impl Known for Nobody {
    fn step(&self, _: &Digest, _: &[ChainId]) -> Result<Option<StepRecord>, StepError> {
        Ok(None)
    }
}
