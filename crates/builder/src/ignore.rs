//! `.dockerignore`: which files of a context are seen (moby `patternmatcher`).
