//! WeChat's side of the wire, by hand.

use sha1::{Digest, Sha1};

/// WeChat's signature, computed without the crate's own code.
pub fn sign(parts: &[&str]) -> String {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    hex::encode(Sha1::digest(parts.concat()))
}

/// The query of a plaintext push.
pub fn query(token: &str, timestamp: &str, nonce: &str) -> String {
    format!("signature={}&timestamp={timestamp}&nonce={nonce}&openid=o_1", sign(&[token, timestamp, nonce]))
}
