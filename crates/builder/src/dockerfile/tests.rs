mod data;
mod language;
mod mistakes;
mod words;
