mod buildkit;
mod language;
mod mistakes;
mod words;
