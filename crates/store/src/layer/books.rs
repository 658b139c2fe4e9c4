//! Where the bodies of the archive stand in the directory: the recipe's side of the work.

use std::collections::HashMap;
use std::os::fd::BorrowedFd;

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use super::LayerError;
use super::recipe::{Body, Recorder};
use crate::tar::Segment;

/// The recorder, if there is one, and which files it counts on.
pub(super) struct Books<'r> {
    pub(super) recorder: Option<Recorder<'r>>,
    pub(super) bodies: HashMap<Vec<u8>, Vec<Body>>,
}

impl<'r> Books<'r> {
    pub(super) fn new(recorder: Option<Recorder<'r>>) -> Books<'r> {
        Books { recorder, bodies: HashMap::new() }
    }

    pub(super) fn finish(self) -> Result<(), LayerError> {
        match self.recorder {
            Some(recorder) => recorder.finish(),
            None => Ok(()),
        }
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) -> Result<(), LayerError> {
        match &mut self.recorder {
            Some(recorder) => recorder.raw(bytes),
            None => Ok(()),
        }
    }

    pub(super) fn body(&mut self, path: Vec<u8>, segments: &[Segment]) -> Result<(), LayerError> {
        let Some(recorder) = &mut self.recorder else {
            return Ok(());
        };
        let filled = segments.iter().filter(|segment| segment.len > 0);
        let bodies: Vec<Body> =
            filled.map(|segment| recorder.body(&path, segment.offset, segment.len)).collect::<Result<_, _>>()?;
        self.bodies.insert(path, bodies);
        Ok(())
    }

    /// Copies the bodies of a file that is about to be removed into the recipe.
    pub(super) fn keep(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &[u8],
        path: &[u8],
        buffer: &mut [u8],
    ) -> Result<(), LayerError> {
        let (Some(recorder), Some(bodies)) = (&mut self.recorder, self.bodies.remove(path)) else {
            return Ok(());
        };
        let failed = |errno: Errno| LayerError::io("reading back", path, errno);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(dir, name, flags, Mode::empty()).map_err(failed)?;
        for Body { ordinal, mut offset, len } in bodies {
            let end = offset + len;
            while offset < end {
                let most = usize::try_from(end - offset).map_or(buffer.len(), |left| left.min(buffer.len()));
                let read = rustix::io::pread(&file, &mut buffer[..most], offset).map_err(failed)?;
                if read == 0 {
                    return Err(failed(Errno::IO));
                }
                recorder.keep(ordinal, &buffer[..read])?;
                offset += read as u64;
            }
        }
        Ok(())
    }
}
