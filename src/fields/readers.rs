//! The result of each reader, for the tests and fuzz targets that compare them.
#![allow(clippy::unwrap_used, reason = "for tests")]

#[cfg(feature = "json")]
use super::json;
use super::{Limits, Nodes, Span, flat, tree};
use crate::error::ParseError;

/// Depth, name and value of every element.
pub type Elements = Vec<(u32, String, String)>;

fn elements(text: &str, nodes: &Nodes) -> Elements {
    let piece = |span: Span| text.get(span.range().unwrap()).unwrap().to_owned();
    nodes.as_slice().iter().map(|node| (node.depth, piece(node.name), piece(node.value))).collect()
}

/// The one-pass reader: `None` where it declines.
#[must_use]
pub fn flat(text: &str) -> Option<Elements> {
    let mut nodes = Nodes::new();
    flat::read(text, &Limits::default(), &mut nodes)?;
    Some(elements(text, &nodes))
}

/// The complete reader of XML.
///
/// # Errors
/// What is not XML, has a DTD or exceeds a limit.
pub fn tree(text: &str) -> Result<Elements, ParseError> {
    let mut nodes = Nodes::new();
    let text = tree::read(text, &Limits::default(), &mut nodes)?;
    Ok(elements(&text, &nodes))
}

/// The reader of JSON.
///
/// # Errors
/// What is not JSON, or exceeds a limit.
#[cfg(feature = "json")]
pub fn json(text: &str) -> Result<Elements, ParseError> {
    let mut nodes = Nodes::new();
    let pieces = json::read(text, &Limits::default(), &mut nodes)?;
    Ok(elements(&pieces, &nodes))
}
